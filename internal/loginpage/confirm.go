package loginpage

import (
	"net/http"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// confirmView fills the page that asks once more.
type confirmView struct {
	facts
	// Action is where its form goes; Code shows that it was shown to this browser, and Seen what it has shown. Cancel is the code of the
	// other form.
	Action, Code, Seen, Cancel string
}

// confirmable is a login whose code is in the browser.
type confirmable struct {
	session session
	token   *v1alpha1.GitHubUserToken
	answer  answered
	facts   facts
}

func (c *confirmable) attempt() string { return c.token.Status.WebLogin.AttemptID }

// confirmCode shows that the second form was shown to a browser, for an attempt.
func confirmCode(s session, attempt string) string {
	return sealed(s.browser, "confirm", s.requestID(), attempt)
}

// toConfirm is what the browser may confirm, as everything is now; otherwise where it is led instead.
func (p *Page) toConfirm(r *http.Request) (c *confirmable, instead answer) {
	s, ok := sessionOf(r)
	if !ok {
		return nil, p.stopped(r, whyNoLogin)
	}
	token, err := p.cluster.token(r.Context(), s.name)
	if err != nil {
		return nil, p.stopped(r, p.unread(err, s.name, whyTaken))
	}
	switch now := standing(token, s, p.now()); now {
	case isRedeeming, isOver:
		return nil, p.onTo("over", pathResult)
	case isOpen:
	default:
		return nil, p.stopped(r, halts[now])
	}
	app, reason := p.findApp(r.Context(), token)
	if reason != "" {
		return nil, p.stopped(r, reason)
	}
	_, state, err := gitHubsPage(token.Status.WebLogin.AuthorizeURL, app, p.address.callback())
	if err != nil {
		return nil, p.stopped(r, whyAddress)
	}
	said, ok := answerOf(r, s)
	switch {
	case !ok:
		return nil, p.stopped(r, whyNoCode)
	case !state.is(said.state.reveal()): // The operator has begun another attempt meanwhile.
		return nil, p.stopped(r, whyForeign)
	case accountOf(token) == "":
		return nil, p.stopped(r, whyNoAccount)
	}
	return &confirmable{s, token, said, factsOf(token, app)}, answer{}
}

// showConfirmation is GET /confirm. GitHub sends back at once, without a question, whoever has authorized the App before: it is here that a
// person who was sent a link by a stranger reads for what their account is wanted, before anything is handed over.
func (p *Page) showConfirmation(r *http.Request, _ string) answer {
	c, instead := p.toConfirm(r)
	if c == nil {
		return instead
	}
	return shown("shown", "confirm", confirmView{
		facts: c.facts, Action: p.address.to(pathConfirm), Code: confirmCode(c.session, c.attempt()),
		Seen: c.facts.digest(c.session.browser, "confirm"), Cancel: cancelCode(c.session),
	})
}

// confirm is POST /confirm: the code goes to the operator.
func (p *Page) confirm(r *http.Request, _ string) answer {
	c, instead := p.toConfirm(r)
	if c == nil {
		return instead
	}
	if !same(field(r, "code"), confirmCode(c.session, c.attempt())) {
		return p.stopped(r, whyForm)
	}
	if !same(field(r, "seen"), c.facts.digest(c.session.browser, "confirm")) {
		return p.changed(p.address.to(pathConfirm))
	}
	name := c.session.name
	for range maxTries {
		err := p.cluster.bring(r.Context(), c.token, c.attempt(), c.answer.code)
		if err == nil {
			p.log.Info("A login was confirmed", "namespace", name.namespace, "name", name.name, "request", c.session.requestID())
			return p.onTo("confirmed", pathResult).with(dropCookie(cookieCode))
		}
		p.log.Error(err, "A code could not be brought to the operator", "namespace", name.namespace, "name", name.name)
		if isForbidden(err) {
			break
		}
		p.pause(r.Context(), betweenTries)
	}
	return p.stopped(r, whyUnavailable) // The code is still in the browser: to send the form again helps.
}
