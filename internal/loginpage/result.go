package loginpage

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// resultView fills the page that says what came of a login. Without a title it is not known yet.
type resultView struct {
	Title string
	Text  []string
	Good  bool
	// Account, Namespace and Name say of what it is the result, and Revoke and Tokens (My tokens) are where the person ends it.
	Account, Namespace, Name, Revoke, Tokens string
	// Wanted is the account that was asked for, where it was another one that came.
	Wanted string
	// Next is this page.
	Next string
}

// showResult is GET /result. It says in words of its own what came of the login: those of GitHub, and of a message in a status, are not
// shown.
func (p *Page) showResult(r *http.Request, _ string) answer {
	s, ok := sessionOf(r)
	if !ok {
		return p.stopped(r, whyNoLogin)
	}
	var token *v1alpha1.GitHubUserToken
	var err error
	now := isAsked
	known := p.hold(r.Context(), func() bool {
		if token, err = p.cluster.token(r.Context(), s.name); err != nil {
			return errors.Is(err, errGone)
		}
		now = standing(token, s, p.now())
		return now == isOver || now == isTaken || now == isSuspended
	})
	switch {
	case err != nil:
		a := p.stopped(r, p.unread(err, s.name, whyTaken))
		if a.status == http.StatusServiceUnavailable {
			a.refresh, a.refreshAfter = p.address.to(pathResult), 5
		}
		return a
	case known && now != isOver:
		return p.stopped(r, halts[now])
	}
	view := resultView{Account: accountOf(token), Namespace: s.name.namespace, Name: s.name.name, Next: p.address.to(pathResult)}
	if !known {
		a := shown("waiting", "result", view)
		a.refresh, a.refreshAfter = view.Next, againAfter
		return a
	}
	result := token.Status.WebLogin.Result
	said, has := results[result]
	if !has {
		said = results[v1alpha1.WebLoginLost] // Of a later version.
		result = "Unknown"
	}
	view.Title, view.Text, view.Good = said.Title, said.Text, said.Good
	if result == v1alpha1.WebLoginWrongUser {
		view.Wanted = view.Account
	}
	if said.Good {
		if p.visits != nil {
			view.Tokens = p.address.to(pathTokens)
		}
		if found, reason := p.findApp(r.Context(), token); reason == "" {
			view.Revoke = revokePage(found)
		}
	}
	return shown(string(result), "result", view)
}

// revokePage is where a person sees which Apps may act as them; empty when the host is none.
func revokePage(app app) string {
	u, err := url.Parse(github.AuthorizePage(github.App{Host: app.host, ClientID: app.clientID}, github.PageRequest{}))
	if err != nil || u.Host == "" {
		return ""
	}
	return "https://" + u.Host + "/settings/apps/authorizations"
}
