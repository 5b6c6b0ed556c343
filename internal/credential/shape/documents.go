package shape

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"regexp"
	"strings"
)

// GitHub's reply has three forms, and may be an error.

// What to say of a reply, whatever its form.
const (
	wholeReply   = "it looks like GitHub's reply as a whole. Take the value of refresh_token alone"
	withoutToken = "it looks like GitHub's reply to a login, and has no refresh token. Turn on the expiry of user tokens in the App's settings, and log in again"
	errorReply   = "it looks like an error that GitHub answered. Log in again"
	codeReply    = "it looks like GitHub's reply to the request of a device code. Only the poll that follows the entry of the code brings a refresh token"
)

// replyWith is what to say of a reply that has certain fields; empty when it is none of GitHub's.
func replyWith(has func(field string) bool) string {
	switch {
	case has("refresh_token"), has("refreshToken"):
		return wholeReply
	case has("access_token"), has("token") && has("expires_at"):
		return withoutToken
	case has("device_code"):
		return codeReply
	case has("error"):
		return errorReply
	default:
		return ""
	}
}

func jsonDocument(text string) string {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return ""
	}
	fields := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(text), &fields) == nil {
		if said := replyWith(func(field string) bool { return fields[field] != nil }); said != "" {
			return said
		}
	}
	if hasFieldOfToken.MatchString(text) {
		return wholeReply // It was cut, or has something around it.
	}
	return "it looks like JSON. Take the token alone"
}

// hasFieldOfToken finds the refresh token's field in a text that need not be JSON as a whole.
var hasFieldOfToken = regexp.MustCompile(`"refresh_?[tT]oken"\s*:`)

func xmlReply(text string) string {
	if !strings.HasPrefix(text, "<?xml") && !strings.HasPrefix(text, "<OAuth") {
		return ""
	}
	var reply struct {
		Fields []struct{ XMLName xml.Name } `xml:",any"`
	}
	if xml.Unmarshal([]byte(text), &reply) == nil {
		said := replyWith(func(field string) bool {
			for _, f := range reply.Fields {
				if f.XMLName.Local == field {
					return true
				}
			}
			return false
		})
		if said != "" {
			return said
		}
	}
	return "it looks like XML. Take the token alone"
}

// formReply recognises a reply by the names of its fields: what is no form has none of them.
func formReply(text string) string {
	if strings.ContainsAny(text, " \n") {
		return ""
	}
	fields, err := url.ParseQuery(text)
	if err != nil {
		return ""
	}
	return replyWith(func(field string) bool { return fields.Get(field) != "" })
}

// hasReply reports whether a text is GitHub's reply, in one of its forms.
func hasReply(text string) bool {
	return hasFieldOfToken.MatchString(text) || xmlReply(text) != "" || formReply(text) != ""
}

func webPage(text string) string {
	begin := strings.ToLower(text[:min(len(text), len("<!doctype"))])
	if strings.HasPrefix(begin, "<!doctype") || strings.HasPrefix(begin, "<html") {
		return "it looks like a web page"
	}
	return ""
}
