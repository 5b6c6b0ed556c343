package githubtest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// fields is the content of a reply before it is encoded.
type fields map[string]any

// reply is an answer that has not been sent yet, so that a fault can still change it.
type reply struct {
	status  int
	header  http.Header
	fields  fields // encoded by Accept; nil if body holds the answer
	strings bool   // encode numbers as strings
	body    []byte
	kind    string // Content-Type of body
}

func textReply(status int, kind, body string) reply {
	return reply{status: status, kind: kind, body: []byte(body)}
}

func jsonReply(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("githubtest: encode a reply: %v", err))
	}
	return reply{status: status, kind: "application/json; charset=utf-8", body: body}
}

func (p *reply) setHeader(name, value string) {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
}

// encode turns fields into a body, in the format that the request accepts: form-encoded unless it asks for another.
func (p *reply) encode(accept string) {
	if p.fields == nil {
		return
	}
	switch acceptable(accept) {
	case "application/json":
		p.kind, p.body = "application/json; charset=utf-8", p.fields.json(p.strings)
	case "application/xml":
		p.kind, p.body = "application/xml; charset=utf-8", p.fields.xml()
	default:
		p.kind, p.body = "application/x-www-form-urlencoded; charset=utf-8", p.fields.form()
	}
	p.fields = nil
}

func acceptable(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, _, _ := mime.ParseMediaType(part)
		switch mediaType {
		case "application/json", "application/xml", "application/x-www-form-urlencoded":
			return mediaType
		}
	}
	return ""
}

func (f fields) json(numbersAsStrings bool) []byte {
	if numbersAsStrings {
		f = maps.Clone(f)
		for name, value := range f {
			if number, ok := value.(int64); ok {
				f[name] = strconv.FormatInt(number, 10)
			}
		}
	}
	return jsonReply(0, f).body
}

func (f fields) form() []byte {
	values := url.Values{}
	for name, value := range f {
		values.Set(name, fmt.Sprint(value))
	}
	return []byte(values.Encode())
}

func (f fields) xml() []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OAuth>\n")
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(&b, "  <%s>", name)
		_ = xml.EscapeText(&b, []byte(fmt.Sprint(f[name]))) // a bytes.Buffer takes every write
		fmt.Fprintf(&b, "</%s>\n", name)
	}
	b.WriteString("</OAuth>\n")
	return b.Bytes()
}

// send writes an encoded reply.
func (p *reply) send(w http.ResponseWriter) {
	p.sendHeader(w, len(p.body))
	_, _ = w.Write(p.body) // the client may have gone
}

func (p *reply) sendHeader(w http.ResponseWriter, length int) {
	header := w.Header()
	maps.Copy(header, p.header)
	if p.kind != "" {
		header.Set("Content-Type", p.kind)
	}
	if p.status != http.StatusNoContent {
		header.Set("Content-Length", strconv.Itoa(length))
	}
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(p.status)
}
