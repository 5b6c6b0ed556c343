package githubtest

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const callback = "https://app.example/callback"

func withCallback(o *Options) { o.Apps[0].CallbackURLs = []string{callback} }

func authorizePath(extra url.Values) string {
	query := url.Values{"client_id": {clientID}, "state": {"xyz"}}
	for name := range extra {
		query.Set(name, extra.Get(name))
	}
	return "/login/oauth/authorize?" + query.Encode()
}

func redeem(t *testing.T, gh *Server, code string, extra url.Values) answer {
	t.Helper()
	parameters := url.Values{"client_id": {clientID}, "client_secret": {clientSecret}, "code": {code}}
	for name := range extra {
		parameters.Set(name, extra.Get(name))
	}
	return send(t, gh, tokenRequest(parameters))
}

// landed is the query of the redirect URI that the browser was sent to.
func (b *browser) landed() url.Values {
	b.t.Helper()
	target, err := url.Parse(b.url)
	if err != nil || !strings.HasPrefix(b.url, callback) {
		b.t.Fatalf("not sent back to the App, but to %s", b.url)
	}
	return target.Query()
}

func TestAPersonAuthorizesAnAppOnTheWeb(t *testing.T) {
	gh := newServer(t, withCallback)
	b := newBrowser(t, gh)
	b.open(authorizePath(url.Values{"code_challenge": {challengeOf("verifier")}, "code_challenge_method": {"S256"}, "login": {"octocat"}}))
	b.shows(`value="octocat" required checked`)
	b.signIn("octocat")
	b.shows("Authorize " + clientID)
	b.submit(url.Values{"decision": {"authorize"}})
	want(t, "state", b.landed().Get("state"), "xyz")
	code := b.landed().Get("code")

	want(t, "without the verifier", redeem(t, gh, code, nil).text("error"), "bad_verification_code")
	want(t, "with a wrong secret", redeem(t, gh, code, url.Values{"client_secret": {"wrong"}}).text("error"), "incorrect_client_credentials")
	want(t, "with another redirect URI", redeem(t, gh, code, url.Values{"redirect_uri": {"https://evil.example"}}).text("error"), "redirect_uri_mismatch")
	got := redeem(t, gh, code, url.Values{"code_verifier": {"verifier"}, "redirect_uri": {callback}})
	want(t, "error", got.text("error"), "")
	want(t, "alive", gh.Alive(got.text("access_token")), true)
	want(t, "a second time", redeem(t, gh, code, url.Values{"code_verifier": {"verifier"}}).text("error"), "bad_verification_code")

	b.open(authorizePath(nil))
	want(t, "an App that is authorized needs no second consent", b.landed().Get("code") != "", true)
	b.open(authorizePath(url.Values{"prompt": {"consent"}}))
	b.shows("Authorize " + clientID)
	b.open(authorizePath(url.Values{"prompt": {"select_account"}}))
	b.shows("Choose an account")
}

func TestHowAnAuthorizationIsRefused(t *testing.T) {
	cases := map[string]struct {
		query url.Values
		error string
	}{
		"a redirect URI of somebody else": {url.Values{"redirect_uri": {"https://evil.example/callback"}}, "redirect_uri_mismatch"},
		"a path beside the registered":    {url.Values{"redirect_uri": {callback + "evil"}}, "redirect_uri_mismatch"},
		"a plain code challenge":          {url.Values{"code_challenge": {"x"}, "code_challenge_method": {"plain"}}, "invalid_request"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t, newServer(t, withCallback))
			b.open(authorizePath(c.query))
			want(t, "error", b.landed().Get("error"), c.error)
			want(t, "state", b.landed().Get("state"), "xyz")
		})
	}
	t.Run("by the person", func(t *testing.T) {
		b := newBrowser(t, newServer(t, withCallback))
		b.open(authorizePath(nil))
		b.signIn("octocat")
		b.submit(url.Values{"decision": {"cancel"}})
		want(t, "error", b.landed().Get("error"), "access_denied")
	})
	t.Run("an App that nobody registered", func(t *testing.T) {
		b := newBrowser(t, newServer(t))
		b.open("/login/oauth/authorize?client_id=Iv23liNobody")
		want(t, "status", b.status, 404)
	})
}

func TestRedirectURIs(t *testing.T) {
	app := App{CallbackURLs: []string{callback, "http://127.0.0.1/cli"}}
	cases := map[string]bool{
		callback:                         true,
		callback + "/deeper":             true,
		"http://127.0.0.1:40001/cli":     true,
		"http://127.0.0.1:40001/other":   false,
		"http://app.example/callback":    false,
		"https://app.example:8/callback": false,
		"https://app.example/":           false,
		"%":                              false,
	}
	for uri, allowed := range cases {
		want(t, uri, app.allowsRedirect(uri), allowed)
	}
}

func TestAnAutoApprovedCodeLivesTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, withCallback, func(o *Options) { o.Apps[0].AutoApprove = true })
		code := func() string {
			b := newBrowser(t, gh)
			b.open(authorizePath(url.Values{"login": {"hubot"}, "redirect_uri": {callback + "/x"}}))
			return b.landed().Get("code")
		}
		late, inTime := code(), code()
		time.Sleep(10*time.Minute - time.Nanosecond)
		got := redeem(t, gh, inTime, nil)
		user, _ := gh.Authenticate(got.text("access_token"))
		want(t, "account", user.Login, "hubot")
		time.Sleep(time.Nanosecond)
		want(t, "too late", redeem(t, gh, late, nil).text("error"), "bad_verification_code")
	})
}
