package loginpage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// requestView fills the page that says what the link asks for.
type requestView struct {
	facts
	// Action is where its form goes, and Ticket, Code and Seen are what that carries: the link's ticket, what shows that the form was
	// shown to this browser, and what it has shown.
	Action, Ticket, Code, Seen string
}

// showRequest is GET /login/NAMESPACE/NAME. It changes nothing but gives the browser a secret of its own: whoever previews or scans links
// may open it as often as they like.
func (p *Page) showRequest(r *http.Request, rest string) answer {
	query, err := url.ParseQuery(r.URL.RawQuery)
	text, _ := single(query, "ticket")
	name, ok := nameOf(rest)
	if err != nil || !ok || !isSecret(text) {
		return p.stopped(r, whyLink)
	}
	ticket := hide(text)
	visit, fresh := visitOf(r)
	token, err := p.cluster.token(r.Context(), name)
	if err != nil {
		return p.stopped(r, p.unread(err, name, whyLink))
	}
	app, reason := p.admit(r.Context(), token, ticket)
	if reason != "" {
		return p.stopped(r, reason)
	}
	if reason := refusals[useOf(token, newSession(name, token.UID, ticket, visit), p.now())]; reason != "" {
		return p.stopped(r, reason)
	}
	told := factsOf(token, app)
	a := shown("shown", "request", requestView{
		facts: told, Action: p.address.to(pathLogin + name.key().String()), Ticket: ticket.reveal(),
		Code: beginCode(visit, name, ticket), Seen: told.digest(visit, "begin"),
	})
	if fresh {
		a = a.with(setCookie(cookieVisit, visit.reveal(), visitLifetime))
	}
	return a
}

// refusals are why a link cannot be used.
var refusals = map[use]why{isMine: whyUsed, isUsed: whyUsed, isBusy: whyBusy}

// beginCode shows that the first form was shown to a browser.
func beginCode(visit hidden, name resourceName, ticket hidden) string {
	return sealed(visit, "begin", name.namespace, name.name, ticket.reveal())
}

// unread is the reason for which a resource was not read. gone is the one when it is not there.
func (p *Page) unread(err error, name resourceName, gone why) why {
	if errors.Is(err, errGone) {
		return gone
	}
	p.log.Error(err, "A resource could not be read", "namespace", name.namespace, "name", name.name)
	return whyUnavailable
}

// admit is the App for which a ticket lets somebody log in, or why it does not. Without a ticket that is right nothing is told of the
// resource, not even whether there is one.
func (p *Page) admit(ctx context.Context, token *v1alpha1.GitHubUserToken, ticket hidden) (app, why) {
	name := resourceName{token.Namespace, token.Name}
	offered := token.Status.Authorization
	if offered == nil || offered.LoginURL == "" || token.DeletionTimestamp != nil {
		return app{}, whyLink
	}
	if !strings.HasPrefix(offered.LoginURL, p.address.base+"/") {
		p.log.Info("A link was opened here, and status.authorization.loginURL has one to another page. Is --base-url what the operator has for --login-page-url?",
			"namespace", name.namespace, "name", name.name)
	}
	if !same(offered.LoginURL, p.address.link(name, ticket)) {
		return app{}, whyLink
	}
	if ends := offered.LoginURLExpirationTime; ends == nil || !p.now().Before(ends.Time) {
		return app{}, whyLink
	}
	switch {
	case token.Spec.Suspend:
		return app{}, whySuspended
	case accountOf(token) == "":
		return app{}, whyNoAccount
	}
	return p.findApp(ctx, token)
}

// findApp is the App of a resource, or why it is not known.
func (p *Page) findApp(ctx context.Context, token *v1alpha1.GitHubUserToken) (app, why) {
	found, err := p.cluster.appOf(ctx, token)
	if err == nil {
		return found, ""
	}
	if !errors.Is(err, errGone) {
		p.log.Error(err, "An App could not be read", "namespace", token.Namespace, "name", token.Name)
		if !isForbidden(err) {
			return app{}, whyUnavailable
		}
	}
	return app{}, whyApp
}

const (
	// maxTries is how often something is written before that is given up, and betweenTries the pause between two tries.
	maxTries     = 4
	betweenTries = 250 * time.Millisecond
)

// begin is POST /login/NAMESPACE/NAME: the one use of the link. What was read and what is written are one version of the resource, so
// of two browsers with the link one begins a login, whichever replica each of them asks.
func (p *Page) begin(r *http.Request, rest string) answer {
	name, ok := nameOf(rest)
	text := field(r, "ticket")
	if !ok || !isSecret(text) {
		return p.stopped(r, whyLink)
	}
	ticket := hide(text)
	visit, fresh := visitOf(r)
	if fresh || !same(field(r, "code"), beginCode(visit, name, ticket)) {
		return p.stopped(r, whyForm)
	}
	reason := whyBusy
	for range maxTries {
		token, err := p.cluster.token(r.Context(), name)
		if err != nil {
			if reason = p.unread(err, name, whyLink); reason != whyUnavailable {
				break
			}
			p.pause(r.Context(), betweenTries)
			continue
		}
		s := newSession(name, token.UID, ticket, visit)
		use := useOf(token, s, p.now())
		if use == isMine { // Asked for by an earlier try or form, of which the answer was lost.
			return p.onTo("begun", pathWait).with(s.cookie(), dropCookie(cookieCode))
		}
		app, refused := p.admit(r.Context(), token, ticket)
		if refused == "" {
			refused = refusals[use]
		}
		if refused != "" {
			return p.stopped(r, refused)
		}
		if !same(field(r, "seen"), factsOf(token, app).digest(visit, "begin")) {
			return p.changed(p.address.to(pathLogin+name.key().String()) + "?ticket=" + ticket.reveal())
		}
		err = p.cluster.ask(r.Context(), token, s.requestID()+" "+p.address.callback())
		switch {
		case err == nil:
			p.log.Info("A login was begun", "namespace", name.namespace, "name", name.name, "request", s.requestID())
			return p.onTo("begun", pathWait).with(s.cookie(), dropCookie(cookieCode))
		case !errors.Is(err, errChanged):
			reason = p.unread(err, name, whyLink)
			p.pause(r.Context(), betweenTries)
		}
	}
	return p.stopped(r, reason)
}
