package github_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func installed(a *githubtest.App) {
	a.Installations = []githubtest.Installation{{
		Account: "octo-org", AccountID: 9919, Repositories: []githubtest.Repository{{ID: 1296269, Name: "hello-world"}, {ID: 2, Name: "other"}},
		Permissions: map[string]string{"contents": "write", "issues": "read"},
	}}
}

var readHelloWorld = github.TokenScope{Target: "octo-org", Repositories: []string{"hello-world"}, Permissions: map[string]string{"contents": "read"}}

func TestScopedTokenIsMadeAsAskedFor(t *testing.T) {
	s := newScene(t, installed)
	pair := s.Mint(clientID, person)
	parent := credential.NewAccessToken(pair.AccessToken)
	got, err := s.client.ScopeToken(t.Context(), s.app, parent, readHelloWorld)
	if err != nil {
		t.Fatal(err)
	}
	limits, _ := s.RestrictionOf(got.Token.Reveal())
	if want := "{octo-org [hello-world] map[contents:read] true}"; fmt.Sprint(limits) != want {
		t.Errorf("it may do %v, want %s", limits, want)
	}
	if left := pair.AccessTokenExpiresAt.Sub(got.ExpiresAt).Abs(); left > 3*time.Second {
		t.Errorf("it expires %s off its parent", left)
	}
	byID, err := s.client.ScopeToken(t.Context(), s.app, parent, github.TokenScope{Target: "octo-org", RepositoryIDs: []int64{2}})
	if err != nil {
		t.Fatal(err)
	}
	limits, _ = s.RestrictionOf(byID.Token.Reveal())
	if want := "{octo-org [other] map[] true}"; fmt.Sprint(limits) != want {
		t.Errorf("it may do %v, want %s", limits, want)
	}
	if !s.Alive(pair.AccessToken) || len(s.Violations()) != 0 {
		t.Errorf("the user's token is dead, or there were violations: %v", s.Violations())
	}
}

func TestScopedTokenExpiryIsCountedByGitHubsClock(t *testing.T) {
	s := newScene(t, installed)
	parent := credential.NewAccessToken(s.Mint(clientID, person).AccessToken)
	for _, c := range []struct {
		said   string
		wantIn time.Duration
	}{
		{`"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"`, time.Hour},
		{`"soon"`, 0},
		{`null`, 0},
	} {
		s.Inject(saying(`{"token":"ghu_scoped","expires_at":` + c.said + `}`))
		got, err := s.client.ScopeToken(t.Context(), s.app, parent, readHelloWorld)
		if err != nil {
			t.Fatal(err)
		}
		in := time.Until(got.ExpiresAt)
		if got.ExpiresAt.IsZero() {
			in = 0
		}
		if (in - c.wantIn).Abs() > 3*time.Second {
			t.Errorf("%v: it expires in %s, want %s", c.said, in, c.wantIn)
		}
	}
}

// saying is an answer of the endpoint in these words, after what was asked for was done.
func saying(body string) githubtest.Fault {
	return githubtest.Respond(200, "application/json; charset=utf-8", body).AfterCommit().At(githubtest.ScopedEndpoint)
}

func TestScopedTokenExpiryDoesNotDependOnTheLocalClock(t *testing.T) {
	began := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		text, date string
		want       time.Time
	}{
		"a local clock that is an hour behind": {"2026-03-04T14:00:00Z", "Wed, 04 Mar 2026 06:00:00 GMT", began.Add(8 * time.Hour)},
		"no Date":                              {"2026-03-04T14:00:00Z", "", began.Add(9 * time.Hour)},
		"no expiry":                            {"", "Wed, 04 Mar 2026 06:00:00 GMT", time.Time{}},
	} {
		if got := github.ExpiryOf(c.text, c.date, began); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestScopedTokenErrorsTellWhetherOneMayHaveBeenMade(t *testing.T) {
	at := func(f githubtest.Fault) githubtest.Fault { return f.At(githubtest.ScopedEndpoint) }
	for name, c := range map[string]struct {
		fault  *githubtest.Fault
		scope  github.TokenScope
		secret string
		token  string
		class  github.Class
		reason github.Reason
		maybe  bool
	}{
		"a repository out of reach":   {scope: github.TokenScope{Target: "octo-org", Repositories: []string{"secret"}}, class: github.Misconfigured, reason: github.ScopeNotGranted},
		"too much":                    {scope: github.TokenScope{Target: "octo-org", Permissions: map[string]string{"issues": "write"}}, class: github.Misconfigured, reason: github.ScopeNotGranted},
		"an account without the App":  {scope: github.TokenScope{Target: "nobody"}, class: github.Misconfigured, reason: github.ScopeNotGranted},
		"a wrong secret":              {secret: "wrong", class: github.Misconfigured, reason: github.IncorrectClientCredentials},
		"a token that is dead":        {token: "ghu_dead", class: github.Transient, reason: github.TokenInvalid},
		"a rate limit":                {fault: new(at(githubtest.RateLimited(429, time.Minute, time.Time{}))), class: github.Transient, reason: github.RateLimited},
		"forbidden":                   {fault: new(at(githubtest.RESTError(403, "Forbidden"))), class: github.Transient, reason: github.Forbidden},
		"no such endpoint":            {fault: new(at(githubtest.Respond(404, "text/plain", "404 page not found"))), class: github.Misconfigured, reason: github.NotSupported},
		"a redirect":                  {fault: new(at(githubtest.Redirect(307, "https://example.com"))), class: github.Misconfigured, reason: github.Redirected},
		"a lost reply":                {fault: new(at(githubtest.DropReply())), class: github.Ambiguous, reason: github.NoReply, maybe: true},
		"a bad gateway":               {fault: new(at(githubtest.BadGateway().AfterCommit())), class: github.Ambiguous, reason: github.ServerError, maybe: true},
		"an answer without a token":   {fault: new(saying(`{"expires_at":null}`)), class: github.Ambiguous, reason: github.UnreadableReply, maybe: true},
		"a token with a line break":   {fault: new(saying(`{"token":"ghu_a\nb"}`)), class: github.Ambiguous, reason: github.UnreadableReply, maybe: true},
		"what only claims to be JSON": {fault: new(at(githubtest.NotJSON())), class: github.Ambiguous, reason: github.UnreadableReply, maybe: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, installed)
			token := s.Mint(clientID, person).AccessToken
			if c.fault != nil {
				s.Inject(*c.fault)
			}
			if c.secret != "" {
				s.app.ClientSecret = credential.NewClientSecret(c.secret)
			}
			if c.token != "" {
				token = c.token
			}
			if c.scope.Target == "" {
				c.scope = readHelloWorld
			}
			_, err := s.client.ScopeToken(t.Context(), s.app, credential.NewAccessToken(token), c.scope)
			want(t, err, c.class, c.reason)
			if github.MayHaveIssued(err) != c.maybe {
				t.Errorf("a token may have been made: %t, want %t", !c.maybe, c.maybe)
			}
			if strings.Contains(err.Error(), "ghu_") {
				t.Errorf("the error quotes a token: %v", err)
			}
		})
	}
}

func TestScopedTokenIsNotLostWhereNothingWasSent(t *testing.T) {
	s := newScene(t, installed)
	token := credential.NewAccessToken(s.Mint(clientID, person).AccessToken)
	client, err := github.New(github.Options{AllowedHosts: []string{"127.0.0.1:1"}, AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	nobody := s.app
	nobody.Host = "127.0.0.1:1"
	_, err = client.ScopeToken(t.Context(), nobody, token, readHelloWorld)
	if err == nil || github.MayHaveIssued(err) {
		t.Errorf("got %v, and that a token may have been made", err)
	}
	app := s.app
	app.ClientSecret = credential.ClientSecret{}
	_, err = s.client.ScopeToken(t.Context(), app, token, readHelloWorld)
	want(t, err, github.Misconfigured, github.IncorrectClientCredentials)
	if github.MayHaveIssued(err) || github.MayHaveIssued(nil) {
		t.Error("a token may have been made that nobody asked for")
	}
}

func TestScopedLoginIsLimitedToARepository(t *testing.T) {
	s := newScene(t, installed)
	s.app.RepositoryID = 1296269
	reply, err := s.client.RequestDeviceCode(t.Context(), s.app)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ApproveDevice(reply.UserCode, addUser(s)); err != nil {
		t.Fatal(err)
	}
	polled, err := s.client.PollDevice(t.Context(), s.app, reply.DeviceCode)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := polled.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	limits, _ := s.RestrictionOf(tokens.AccessToken.Reveal())
	if got := fmt.Sprint(limits); got != "{octo-org [hello-world] map[] false}" {
		t.Errorf("by the device flow it reaches %s", got)
	}
	s = newScene(t, webApp, installed)
	s.app.RepositoryID = 2
	if tokens, err = s.redeem(t, s.authorize(t)); err != nil {
		t.Fatal(err)
	}
	limits, _ = s.RestrictionOf(tokens.AccessToken.Reveal())
	if got := fmt.Sprint(limits); got != "{octo-org [other] map[] false}" {
		t.Errorf("by the web flow it reaches %s", got)
	}
}
