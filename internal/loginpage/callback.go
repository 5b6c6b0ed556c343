package loginpage

import (
	"net/http"
	"net/url"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// takeAnswer is GET /callback, to which GitHub sends the browser back. It takes the code only in the browser that has begun the login
// which is under way, and then that browser keeps it: nothing of it goes to the cluster before the person has confirmed. The browser is always sent
// on, so that the address with the code in it does not stay.
func (p *Page) takeAnswer(r *http.Request, _ string) answer {
	if a, isVisit := p.takeProof(r); isVisit {
		return a
	}
	s, ok := sessionOf(r)
	if !ok {
		return p.stoppedAt(whyElsewhere)
	}
	said, ok := readAnswer(r.URL.RawQuery)
	if !ok {
		return p.stoppedAt(whyMalformed)
	}
	token, err := p.cluster.token(r.Context(), s.name)
	if err != nil {
		p.pause(r.Context(), betweenTries)
		token, err = p.cluster.token(r.Context(), s.name)
	}
	if err != nil {
		if reason := p.unread(err, s.name, whyTaken); reason != whyUnavailable {
			return p.stoppedAt(reason)
		}
		return p.stopped(r, whyUnavailable) // To reload it helps, so it stays at this address.
	}
	switch now := standing(token, s, p.now()); now {
	case isRedeeming, isOver:
		return p.onTo("over", pathResult)
	case isHeld:
		return p.stopped(r, whyHeld) // To reload it helps, as before.
	case isOpen:
	default:
		return p.stoppedAt(halts[now])
	}
	app, reason := p.findApp(r.Context(), token)
	if reason == whyUnavailable {
		return p.stopped(r, reason)
	} else if reason != "" {
		return p.stoppedAt(reason)
	}
	_, state, err := gitHubsPage(token.Status.WebLogin.AuthorizeURL, app, p.address.callback())
	switch {
	case err != nil:
		return p.stoppedAt(whyAddress)
	case !state.is(said.state.reveal()):
		return p.stoppedAt(whyForeign)
	case said.issuer != "" && !isIssuer(said.issuer, app):
		return p.stoppedAt(whyIssuer)
	case said.failure == "access_denied":
		return p.stoppedAt(whyDenied)
	case said.failure != "":
		return p.stoppedAt(whyGitHub)
	}
	return p.onTo("answered", pathConfirm).with(codeCookie(s, said.answered))
}

// reply is what an address says that GitHub answers: a code, or a failure, with the state.
type reply struct {
	answered
	failure, issuer string
}

// readAnswer reads it. Each of its parameters occurs once at most, and it is one of the two.
func readAnswer(rawQuery string) (reply, bool) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil || len(query["code"])+len(query["error"]) != 1 || len(query["iss"]) > 1 {
		return reply{}, false
	}
	state, ok := single(query, "state")
	if !ok || !isToken(state, maxState) {
		return reply{}, false
	}
	code := query.Get("code")
	if len(query["code"]) == 1 && !isToken(code, maxCode) || len(query["error"]) == 1 && query.Get("error") == "" {
		return reply{}, false
	}
	return reply{answered{credential.NewAuthorizationCode(code), hide(state)}, query.Get("error"), query.Get("iss")}, true
}
