package loginpage

import (
	"errors"
	"net/url"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// errNotGitHubs: what the status says is GitHub's page is not the page of the App's host that comes back here.
var errNotGitHubs = errors.New("the address in status.webLogin.authorizeURL is not that of the App's page at its host")

// gitHubsPage is the address of GitHub's page that a status names, and the state that will come back. It is followed only if it is the
// one at the App's host, for the App, that sends the browser back here: whoever may write a status could lead people elsewhere.
func gitHubsPage(named string, app app, callback string) (page string, state hidden, err error) {
	u, err := url.Parse(named)
	if err != nil {
		return "", hidden{}, errNotGitHubs
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", hidden{}, errNotGitHubs
	}
	text, ok := single(query, "state")
	if !ok || !isToken(text, maxState) {
		return "", hidden{}, errNotGitHubs
	}
	challenge, _ := single(query, "code_challenge")
	expected, err := url.Parse(github.AuthorizePage(
		github.App{Host: app.host, ClientID: app.clientID},
		github.PageRequest{RedirectURI: callback, State: text, Challenge: challenge},
	))
	if err != nil || expected.Host == "" || u.Scheme != "https" || u.Host != expected.Host || u.Path != expected.Path || u.RawPath != "" ||
		u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return "", hidden{}, errNotGitHubs
	}
	for key, want := range expected.Query() { // It may have more: an account, scopes, what a later version adds.
		if got, ok := single(query, key); !ok || got != want[0] || got == "" {
			return "", hidden{}, errNotGitHubs
		}
	}
	return u.String(), hide(text), nil
}

// isIssuer reports whether who says to have issued an answer (RFC 9207) is the host of the App: GitHub names its site, or a path of it.
func isIssuer(issuer string, app app) bool {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	return newApp(u.Host, "", "").shownHost() == app.shownHost()
}
