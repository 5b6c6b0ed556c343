package loginpage

import "net/http"

// subjectOf is the login that a request is about, as it says itself: the link that it opens, or the login of its browser. It holds a
// secret of whoever may open that, so that nobody else uses up what is answered of it.
func subjectOf(r *http.Request, found route, rest string) string {
	if found.step != "login" {
		if s, ok := sessionOf(r); ok {
			return s.requestID()
		}
		return ""
	}
	name, ok := nameOf(rest)
	if !ok {
		return ""
	}
	text, _ := single(r.URL.Query(), "ticket")
	if !isSecret(text) { // The form carries it in its body.
		text = cookieOf(r, cookieVisit)
	}
	if !isSecret(text) {
		return "" // Nothing is read for that.
	}
	return name.key().String() + " " + ticketID(hide(text))
}
