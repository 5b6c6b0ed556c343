package loginpage

import (
	"net/http"
)

// answer is what a step has come to. Steps make answers and write nothing to the browser themselves, so that there is one place that does.
type answer struct {
	// outcome is a word for the metrics.
	outcome string
	// status is that of a page, and what fills its template.
	status int
	page   string
	view   any
	// location is where the browser is sent on to; then there is no page.
	location string
	cookies  []*http.Cookie
	// refresh is where the browser goes by itself, after so many seconds.
	refresh      string
	refreshAfter int
}

// with is the answer with cookies.
func (a answer) with(cookies ...*http.Cookie) answer {
	a.cookies = append(a.cookies, cookies...)
	return a
}

// shown is a page.
func shown(outcome, page string, view any) answer {
	return answer{outcome: outcome, status: http.StatusOK, page: page, view: view}
}

// onTo sends the browser to another path of the page.
func (p *Page) onTo(outcome, path string) answer {
	return answer{outcome: outcome, location: p.address.to(path)}
}
