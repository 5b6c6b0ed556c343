package githubtest

import (
	"fmt"
	"net/url"
	"slices"
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

func TestWebFlowPersonAuthorizesAnAppOnTheWeb(t *testing.T) {
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

func TestWebFlowHowAnAuthorizationIsRefused(t *testing.T) {
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

func TestWebFlowRedirectURIs(t *testing.T) {
	callbacks := []string{callback, "http://127.0.0.1/cli", "http://localhost/cli"}
	apps := map[string]App{
		"a GitHub App":                    {CallbackURLs: callbacks},
		"a GitHub App, any loopback port": {CallbackURLs: callbacks, AnyLoopbackPort: true},
		"an OAuth App":                    {CallbackURLs: callbacks, Kind: OAuthApp},
	}
	const exact, below, port = "a GitHub App", "an OAuth App", "a GitHub App, any loopback port"
	cases := map[string][]string{
		callback:                           {exact, below, port},
		callback + "/deeper":               {below},
		callback + "?x=1":                  {below},
		callback + "er":                    nil,
		"http://127.0.0.1/cli":             {exact, below, port},
		"http://127.0.0.1:40001/cli":       {below, port},
		"http://127.0.0.1:40001/other":     nil,
		"http://localhost:40001/cli":       nil,
		"http://app.example/callback":      nil,
		"https://app.example:8/callback":   nil,
		"https://app.example/":             nil,
		"https://sub.app.example/callback": nil,
		"%":                                nil,
	}
	for uri, allowed := range cases {
		for name, app := range apps {
			want(t, name+" asks for "+uri, app.allowsRedirect(uri), slices.Contains(allowed, name))
		}
	}
}

func TestWebFlowTakesTenCallbackURLs(t *testing.T) {
	defer func() { want(t, "panics with eleven", recover() != nil, true) }()
	gh := newServer(t)
	gh.UpdateApp(clientID, func(a *App) { a.CallbackURLs = slices.Repeat([]string{callback}, 10) })
	gh.UpdateApp(clientID, func(a *App) { a.CallbackURLs = slices.Repeat([]string{callback}, 11) })
}

// verifier is a code_verifier as RFC 7636 wants it.
const verifier = "0123456789-0123456789.0123456789_0123456789~"

func TestWebFlowCodesAreKeptInTheLedger(t *testing.T) {
	gh := newServer(t, withCallback, func(o *Options) { o.Apps[0].AutoApprove = true })
	b := newBrowser(t, gh)
	b.open(authorizePath(url.Values{"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}}))
	code := b.landed().Get("code")
	proof := url.Values{"code_verifier": {verifier}}
	want(t, "without the verifier", redeem(t, gh, code, nil).text("error"), "bad_verification_code")
	got := redeem(t, gh, code, proof)
	want(t, "redeemed", got.text("error"), "")
	want(t, "a second time", redeem(t, gh, code, proof).text("error"), "bad_verification_code")
	want(t, "the first pair lives on", gh.Alive(got.text("access_token")), true)

	presented := gh.CodePresentations()
	want(t, "presentations", len(presented), 3)
	want(t, "first outcome", presented[0].Outcome, Outcome("bad_verification_code"))
	want(t, "second outcome", presented[1].Outcome, Committed)
	want(t, "what it issued", presented[1].NewAccess, Fingerprint(got.text("access_token")))
	want(t, "the third came after the success", presented[2].AfterSuccess && !presented[1].AfterSuccess, true)
	want(t, "whose", presented[2].User, "octocat")
	want(t, "named by its fingerprint", presented[2].Fingerprint, Fingerprint(code))
	var rules []Rule
	for _, v := range gh.Violations() {
		rules = append(rules, v.Rule)
	}
	want(t, "violations", fmt.Sprint(rules), fmt.Sprint([]Rule{WeakVerifier, SpentCodePresented}))
}

func TestWebFlowCodePresentedTwiceMayEndWhatItGave(t *testing.T) {
	gh := newServer(t, withCallback, func(o *Options) { o.Apps[0].AutoApprove, o.Apps[0].ReplayEndsTokens = true, true })
	b := newBrowser(t, gh)
	b.open(authorizePath(url.Values{"code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"}}))
	proof, code := url.Values{"code_verifier": {verifier}}, b.landed().Get("code")
	got := redeem(t, gh, code, proof)
	next := send(t, gh, tokenRequest(url.Values{
		"grant_type": {"refresh_token"}, "client_id": {clientID}, "client_secret": {clientSecret}, "refresh_token": {got.text("refresh_token")},
	}))
	want(t, "alive", gh.Alive(next.text("access_token")), true)
	want(t, "a second time", redeem(t, gh, code, proof).text("error"), "bad_verification_code")
	want(t, "alive after that", gh.Alive(next.text("access_token")), false)
	state, _ := gh.StateOf(next.text("refresh_token"))
	want(t, "what ended it", state.Cause, Replayed)
}

func TestWebFlowNotesWhatAClientLeavesOut(t *testing.T) {
	gh := newServer(t, withCallback, func(o *Options) { o.Apps[0].AutoApprove = true })
	b := newBrowser(t, gh)
	b.open(authorizePath(url.Values{"state": {""}}))
	want(t, "violations", len(gh.Violations()), 2)
	want(t, "first", gh.Violations()[0].Rule, MissingState)
	want(t, "second", gh.Violations()[1].Rule, MissingChallenge)
	b.open(authorizePath(url.Values{"code_challenge": {"short"}, "code_challenge_method": {"S256"}}))
	want(t, "a challenge that is no SHA-256", b.landed().Get("error"), "invalid_request")

	r := tokenRequest(nil)
	r.URL.RawQuery = url.Values{"client_id": {clientID}, "code": {"x"}, "code_verifier": {"y"}}.Encode()
	send(t, gh, r)
	want(t, "with code and verifier in the URL", len(gh.Violations()), 4)
	want(t, "what is wrong with that", gh.Violations()[3].Rule, SecretInURL)
}

func TestWebFlowMayPickAnAccountWhereTheCallbackIsNotHTTPS(t *testing.T) {
	gh := newServer(t, func(o *Options) {
		o.Apps[0].CallbackURLs, o.Apps[0].InsecureCallbacksPick = []string{callback, "http://app.example/callback"}, true
	})
	b := newBrowser(t, gh)
	b.open(authorizePath(nil))
	b.signIn("octocat")
	b.submit(url.Values{"decision": {"authorize"}})
	redeem(t, gh, b.landed().Get("code"), nil)
	b.open(authorizePath(nil))
	want(t, "over https no question", b.landed().Get("code") != "", true)
	b.open(authorizePath(url.Values{"redirect_uri": {"http://app.example/callback"}}))
	b.shows("Choose an account")
}

func TestWebFlowLoginMayBeLimitedToOneRepository(t *testing.T) {
	gh := newServer(t, withCallback, withInstallation, func(o *Options) { o.Apps[0].AutoApprove = true })
	login := func(repository string) answer {
		b := newBrowser(t, gh)
		b.open(authorizePath(nil))
		return redeem(t, gh, b.landed().Get("code"), url.Values{"repository_id": {repository}})
	}
	got := login("1296269")
	limited, _ := gh.RestrictionOf(got.text("access_token"))
	want(t, "repositories", fmt.Sprint(limited.Repositories), "[hello-world]")
	next := refresh(t, gh, got.text("refresh_token"))
	limited, _ = gh.RestrictionOf(next.text("access_token"))
	want(t, "repositories after an exchange", fmt.Sprint(limited.Repositories), "[hello-world]")
	_, restricted := gh.RestrictionOf(login("42").text("access_token"))
	want(t, "one out of reach is ignored in silence", restricted, false)
}

func TestWebFlowAutoApprovedCodeLivesTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, withCallback, func(o *Options) { o.Apps[0].AutoApprove = true })
		code := func() string {
			b := newBrowser(t, gh)
			b.open(authorizePath(url.Values{"login": {"hubot"}, "redirect_uri": {callback}}))
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
