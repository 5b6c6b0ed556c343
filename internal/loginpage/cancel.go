package loginpage

import (
	"errors"
	"net/http"
)

// cancelCode shows that a form which ends a login was shown to the browser that has begun it.
func cancelCode(s session) string { return sealed(s.browser, "cancel", s.requestID()) }

// cancel is POST /cancel: the request is taken back, with which the operator ends the attempt, and the browser forgets the code.
func (p *Page) cancel(r *http.Request, _ string) answer {
	s, ok := sessionOf(r)
	if !ok {
		return p.stopped(r, whyNoLogin)
	}
	if !same(field(r, "code"), cancelCode(s)) {
		return p.stopped(r, whyForm)
	}
	for range maxTries {
		token, err := p.cluster.token(r.Context(), s.name)
		if err == nil {
			now := standing(token, s, p.now())
			if now == isRedeeming || now == isOver {
				return p.onTo("over", pathResult) // It cannot be taken back any more.
			}
			if now != isTaken {
				err = p.cluster.ask(r.Context(), token, "")
			}
		}
		switch {
		case err == nil, errors.Is(err, errGone):
			p.log.Info("A login was called off", "namespace", s.name.namespace, "name", s.name.name, "request", s.requestID())
			return p.stoppedAt(whyCancelled).with(dropCookie(cookieLogin), dropCookie(cookieCode))
		case !errors.Is(err, errChanged):
			_ = p.unread(err, s.name, whyTaken)
			p.pause(r.Context(), betweenTries)
		}
	}
	return p.stopped(r, whyUnavailable)
}
