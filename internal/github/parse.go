package github

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
)

// field is one value of a reply. Only text can be a token; a number may come as either.
type field struct {
	value string
	text  bool
}

type fields map[string]field

// text is a value that can be a token or a code: printable ASCII, as RFC 6749 (appendix A) demands.
func (f fields) text(key string) string {
	if !f[key].text {
		return ""
	}
	for _, b := range []byte(f[key].value) {
		if b < 0x20 || b > 0x7e {
			return ""
		}
	}
	return f[key].value
}

// parseFields reads the top-level fields of a reply in any of the three forms that GitHub has. It looks
// at the text itself: the Content-Type is not always true. Of a text that was cut off it returns the
// fields that are complete, and says that the whole is not.
func parseFields(body string, cut bool) (f fields, whole bool) {
	body = strings.TrimSpace(strings.TrimPrefix(body, "\ufeff"))
	switch {
	case strings.HasPrefix(body, "{"):
		return parseJSON(body)
	case strings.HasPrefix(body, "<"):
		return parseXML(body)
	default:
		return parseForm(body, cut)
	}
}

func parseJSON(body string) (fields, bool) {
	f := fields{}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil {
		return f, false
	}
	lastNumber := ""
	for decoder.More() {
		lastNumber = ""
		key, err := decoder.Token()
		if err != nil {
			return f, false
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return f, false
		}
		name, _ := key.(string)
		switch value := value.(type) {
		case string:
			f[name] = field{value: value, text: true}
		case json.Number:
			f[name] = field{value: string(value)}
			lastNumber = name
		}
	}
	if _, err := decoder.Token(); err != nil {
		// Nothing marks the end of a number, so one at the very end may lack digits.
		delete(f, lastNumber)
		return f, false
	}
	return f, true
}

// parseXML reads <OAuth><access_token>…</access_token>…</OAuth>. A web page has no fields.
func parseXML(body string) (fields, bool) {
	f := fields{}
	decoder := xml.NewDecoder(strings.NewReader(body))
	var text strings.Builder
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return f, false
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 1 && strings.EqualFold(token.Name.Local, "html") {
				return f, true
			}
			text.Reset()
		case xml.CharData:
			text.Write(token)
		case xml.EndElement:
			if depth == 2 {
				f[token.Name.Local] = field{value: strings.TrimSpace(text.String()), text: true}
			}
			if depth--; depth == 0 {
				return f, true
			}
		}
	}
}

func parseForm(body string, cut bool) (fields, bool) {
	f := fields{}
	pairs := strings.Split(body, "&")
	if cut {
		// Nothing but the next pair marks the end of a value.
		pairs = pairs[:len(pairs)-1]
	}
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if !found || nameErr != nil || valueErr != nil {
			continue
		}
		f[name] = field{value: value, text: true}
	}
	return f, !cut
}
