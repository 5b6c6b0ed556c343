package loginpage

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxQuery and maxBody are how much of what a browser sends is read.
	maxQuery = 4 << 10
	maxBody  = 4 << 10
	// requestTimeout is how long an answer may take, with all that is tried for it.
	requestTimeout = 25 * time.Second
)

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	strict(w.Header())
	if r.URL.EscapedPath() == p.address.to(pathStyle) && isRead(r.Method) {
		p.serveStyle(w)
		return
	}
	step, a := p.answer(r)
	p.metrics.count(step, a.outcome)
	if a.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "2")
	}
	p.write(w, r, a)
}

// answer finds who answers, and has them do so. A panic is answered as well, and what it says is not logged: it may quote the request.
func (p *Page) answer(r *http.Request) (step string, a answer) {
	step = "other"
	defer func() {
		if recover() != nil {
			p.log.Info("A step of the login page has panicked", "step", step)
			a = p.stopped(r, whyInternal)
		}
	}()
	found, rest, ok := p.find(r)
	if ok {
		step = found.step
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	if !p.limits.Allow(r, subjectOf(r, found, rest), p.now()) {
		return step, p.stopped(r, whyLimited)
	}
	if !ok || len(r.URL.RawQuery) > maxQuery {
		return step, p.stopped(r, whyNotFound)
	}
	switch {
	// A HEAD gets the headers of a page that anybody may read, and is no visit anywhere else.
	case r.Method == http.MethodGet && found.get != nil, r.Method == http.MethodHead && found.get != nil && found.step != "callback" && found.step != "visit-proven":
		return step, found.get(p, r, rest)
	case r.Method == http.MethodPost && found.post != nil:
		if reason := p.checkForm(r); reason != "" {
			return step, p.stopped(r, reason)
		}
		return step, found.post(p, r, rest)
	default:
		return step, p.stopped(r, whyMethod)
	}
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// checkForm reads the body of a POST, and is why it is no form of this page as far as that can be told without its code. A browser says
// where a request comes from; one that was told to send no referrer says "null", and one whose person reloads says "none".
func (p *Page) checkForm(r *http.Request) why {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return whyForm
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != p.address.origin {
		return whyForm
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != "application/x-www-form-urlencoded" {
		return whyForm
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxBody)
	if r.ParseForm() != nil {
		return whyForm
	}
	return ""
}

// field is a field of the form that occurs once.
func field(r *http.Request, name string) string {
	value, _ := single(r.PostForm, name)
	return value
}

// write sends an answer.
func (p *Page) write(w http.ResponseWriter, r *http.Request, a answer) {
	for _, cookie := range a.cookies {
		http.SetCookie(w, cookie)
	}
	if a.location != "" {
		w.Header().Set("Location", a.location)
		w.WriteHeader(http.StatusSeeOther) // Without the page that http.Redirect writes, which quotes the address.
		return
	}
	if a.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, POST")
	}
	content, err := p.render(a)
	if err != nil {
		p.log.Info("A page could not be rendered", "page", a.page)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	if a.refresh != "" {
		w.Header().Set("Refresh", strconv.Itoa(a.refreshAfter)+"; url="+a.refresh)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
}

// serveStyle is the style sheet, which is the same for everybody.
func (p *Page) serveStyle(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(p.style)
}
