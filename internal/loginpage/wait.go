package loginpage

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	// holdFor is how long a request is held until there is something to tell, and lookEvery how often that is looked for.
	holdFor   = 4 * time.Second
	lookEvery = 400 * time.Millisecond
	// againAfter is after how many seconds a browser asks again.
	againAfter = 1
)

// hold looks until there is something to tell, for a while. It is false when there is not.
func (p *Page) hold(ctx context.Context, look func() bool) bool {
	if look() {
		return true
	}
	select {
	case p.holding <- struct{}{}:
		defer func() { <-p.holding }()
	default:
		return false
	}
	for range int(holdFor / lookEvery) {
		p.pause(ctx, lookEvery)
		if ctx.Err() != nil {
			return false
		}
		if look() {
			return true
		}
	}
	return false
}

// waitView fills the page of somebody who waits.
type waitView struct{ Next string }

// showWait is GET /wait, to which the first form leads. It is always a page, from which the browser goes on by itself: redirects that
// follow a form at once are held to where that form may go, and GitHub is elsewhere.
func (p *Page) showWait(r *http.Request, _ string) answer {
	if _, ok := sessionOf(r); !ok {
		return p.stopped(r, whyNoLogin)
	}
	next := p.address.to(pathGo)
	a := shown("waiting", "wait", waitView{next})
	a.refresh, a.refreshAfter = next, againAfter
	return a
}

// goOn is GET /go: on to GitHub, as soon as the operator has begun the attempt.
func (p *Page) goOn(r *http.Request, _ string) answer {
	s, ok := sessionOf(r)
	if !ok {
		return p.stopped(r, whyNoLogin)
	}
	var a answer
	if !p.hold(r.Context(), func() (found bool) { a, found = p.onward(r, s); return found }) {
		return p.onTo("waiting", pathWait)
	}
	return a
}

// onward is where a login goes on; found is false while nobody knows.
func (p *Page) onward(r *http.Request, s session) (a answer, found bool) {
	token, err := p.cluster.token(r.Context(), s.name)
	if errors.Is(err, errGone) {
		return p.stopped(r, whyTaken), true
	}
	if err != nil {
		_ = p.unread(err, s.name, whyTaken)
		return answer{}, false
	}
	switch now := standing(token, s, p.now()); now {
	case isAsked, isHeld:
		return answer{}, false
	case isRedeeming, isOver:
		return p.onTo("over", pathResult), true
	case isOpen:
	default:
		return p.stopped(r, halts[now]), true
	}
	app, reason := p.findApp(r.Context(), token)
	if reason != "" {
		return p.stopped(r, reason), true
	}
	page, _, err := gitHubsPage(token.Status.WebLogin.AuthorizeURL, app, p.address.callback())
	if err != nil {
		p.log.Error(err, "Nobody was sent to GitHub", "namespace", s.name.namespace, "name", s.name.name)
		return p.stopped(r, whyAddress), true
	}
	return answer{outcome: "sent", location: page}, true
}

// halts are why a login that has been begun does not go on.
var halts = map[stage]why{isTaken: whyTaken, isSuspended: whySuspended, isLate: whyLate, isAsked: whyForeign, isHeld: whyHeld, isBarred: whyHeld}
