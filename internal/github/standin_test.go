package github_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	clientID     = "Iv23liStandIn"
	clientSecret = "standinSECRET"
	person       = "octocat"
)

// scene is the client against the strict stand-in, which was written apart from it.
type scene struct {
	*githubtest.Server
	client *github.Client
	app    github.App
}

func newScene(t *testing.T, change ...func(*githubtest.App)) *scene {
	t.Helper()
	app := githubtest.App{ClientID: clientID, Secrets: []string{clientSecret}, DeviceFlow: true}
	for _, c := range change {
		c(&app)
	}
	gh := githubtest.New(githubtest.Options{Apps: []githubtest.App{app}})
	site := gh.StartTest(t)
	client, err := github.New(github.Options{
		AllowedHosts:     []string{site.Host},
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		RootCAs:          site.CA.PEM,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &scene{gh, client, github.App{Host: site.Host, ClientID: clientID, ClientSecret: credential.NewClientSecret(clientSecret)}}
}

// exchange spends a token and looks at the reply.
func (s *scene) exchange(t *testing.T, token string) (github.Tokens, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reply, err := s.client.Exchange(ctx, s.app, credential.NewRefreshToken(token))
	if err != nil {
		return github.Tokens{}, err
	}
	return reply.Tokens()
}

func want(t *testing.T, err error, class github.Class, reason github.Reason) *github.Error {
	t.Helper()
	var e *github.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s %s", err, class, reason)
	}
	if e.Class != class || e.Reason != reason {
		t.Errorf("got %s %s, want %s %s", e.Class, e.Reason, class, reason)
	}
	return e
}

func TestStandInChainOfExchangesAtTheStandIn(t *testing.T) {
	for name, change := range map[string]func(*githubtest.App){
		"GitHub App":                     func(*githubtest.App) {},
		"OAuth App":                      func(a *githubtest.App) { a.Kind = githubtest.OAuthApp; a.Scope = "repo" },
		"strings for numbers":            func(a *githubtest.App) { a.NumbersAsStrings = true },
		"lifetimes other than 8 hours":   func(a *githubtest.App) { a.AccessTokenLifetime = 30 * time.Second },
		"tokens of other length, prefix": func(a *githubtest.App) { a.AccessTokenPrefix, a.AccessTokenLength = "future_", 200 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, change)
			pair := s.Mint(clientID, person)
			access, refresh := pair.AccessToken, pair.RefreshToken
			for range 5 {
				tokens, err := s.exchange(t, refresh)
				if err != nil {
					t.Fatal(err)
				}
				if s.Alive(access) || !s.Alive(tokens.AccessToken.Reveal()) {
					t.Error("the old access token lives, or the new one does not")
				}
				access, refresh = tokens.AccessToken.Reveal(), tokens.RefreshToken.Reveal()
			}
			if len(s.Exchanges()) != 5 || len(s.DoubleSpends()) != 0 {
				t.Errorf("%d exchanges, %d double spends", len(s.Exchanges()), len(s.DoubleSpends()))
			}
			if problems := s.Violations(); len(problems) != 0 {
				t.Errorf("the stand-in saw violations: %v", problems)
			}
		})
	}
}

func TestStandInExpirySwitchedOffAtTheStandIn(t *testing.T) {
	s := newScene(t, func(a *githubtest.App) { a.NoExpiry = true })
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
	if !tokens.RefreshToken.IsZero() || !tokens.ExpiresAt.IsZero() || tokens.AccessToken.IsZero() {
		t.Errorf("want an access token alone that never expires, got expiry %s", tokens.ExpiresAt)
	}
}

// addUser makes the stand-in know the person.
func addUser(s *scene) string {
	s.AddUser(githubtest.User{Login: person, ID: 583231})
	return person
}

func TestStandInEveryFaultOfTheStandInIsClassified(t *testing.T) {
	cases := []struct {
		name   string
		fault  githubtest.Fault
		class  github.Class
		reason github.Reason
		spent  bool // GitHub has exchanged the token
	}{
		{"502 before", githubtest.BadGateway(), github.Ambiguous, github.ServerError, false},
		{"502 after it committed", githubtest.BadGateway().AfterCommit(), github.Ambiguous, github.ServerError, true},
		{"503", githubtest.Unavailable(), github.Ambiguous, github.ServerError, false},
		{"server error", githubtest.ServerError(), github.Ambiguous, github.ServerError, false},
		{"a page", githubtest.HTMLPage(200), github.Ambiguous, github.UnreadableReply, false},
		{"empty", githubtest.EmptyBody(), github.Ambiguous, github.UnreadableReply, false},
		{"not JSON", githubtest.NotJSON(), github.Ambiguous, github.UnreadableReply, false},
		{"reset before", githubtest.ResetConnection(), github.Ambiguous, github.NoReply, false},
		{"closed before", githubtest.CloseConnection(), github.Ambiguous, github.NoReply, false},
		{"reply dropped", githubtest.DropReply(), github.Ambiguous, github.NoReply, true},
		{"reply cut early", githubtest.CutBody(20), github.Ambiguous, github.ReplyCut, true},
		{"10 MiB of nonsense", githubtest.HugeBody(10 << 20).BeforeCommit(), github.Ambiguous, github.ServerError, false},
		{"redirect", githubtest.Redirect(307, "https://example.com/"), github.Misconfigured, github.Redirected, false},
		{"rate limit", githubtest.RateLimited(403, time.Minute, time.Time{}), github.Transient, github.RateLimited, false},
		{"rate limit, 429", githubtest.RateLimited(429, time.Minute, time.Time{}), github.Transient, github.RateLimited, false},
		{"secondary rate limit", githubtest.SecondaryRateLimit(time.Minute), github.Transient, github.RateLimited, false},
		{"secondary rate limit, no header", githubtest.SecondaryRateLimit(0), github.Transient, github.RateLimited, false},
		{"bad refresh token", githubtest.OAuthError("bad_refresh_token"), github.Rejected, github.RefreshTokenRejected, false},
		{"unverified address", githubtest.OAuthError("unverified_user_email"), github.Misconfigured, github.UnverifiedEmail, false},
		{"suspended", githubtest.OAuthError("application_suspended"), github.Misconfigured, github.ApplicationSuspended, false},
		{"access denied", githubtest.OAuthError("access_denied"), github.Misconfigured, github.AccessDenied, false},
		{"unauthorized client", githubtest.OAuthError("unauthorized_client"), github.Misconfigured, github.UnauthorizedClient, false},
		{"unsupported grant", githubtest.OAuthError("unsupported_grant_type"), github.Misconfigured, github.UnsupportedGrantType, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			pair := s.Mint(clientID, person)
			s.Inject(tc.fault)
			_, err := s.exchange(t, pair.RefreshToken)
			want(t, err, tc.class, tc.reason)
			if got := s.ExchangesOf(pair.RefreshToken) == 1; got != tc.spent {
				t.Errorf("exchanged: %t, want %t", got, tc.spent)
			}
			if got := len(s.PresentationsOf(pair.RefreshToken)); got != 1 {
				t.Errorf("the token was presented %d times", got)
			}
		})
	}
}

// GitHub sends its errors with 200, and has been seen to send them with 400. The code counts, not the status.
func TestStandInEveryErrorCodeMeansTheSameAtEveryStatus(t *testing.T) {
	s := newScene(t)
	pair := s.Mint(clientID, person)
	for code, meaning := range map[string]struct {
		class  github.Class
		reason github.Reason
	}{
		"bad_refresh_token":            {github.Rejected, github.RefreshTokenRejected},
		"invalid_grant":                {github.Rejected, github.RefreshTokenRejected},
		"incorrect_client_credentials": {github.Misconfigured, github.IncorrectClientCredentials},
		"unverified_user_email":        {github.Misconfigured, github.UnverifiedEmail},
		"access_denied":                {github.Misconfigured, github.AccessDenied},
		"application_suspended":        {github.Misconfigured, github.ApplicationSuspended},
		"unsupported_grant_type":       {github.Misconfigured, github.UnsupportedGrantType},
		"unauthorized_client":          {github.Misconfigured, github.UnauthorizedClient},
		"device_flow_disabled":         {github.Misconfigured, github.DeviceFlowDisabled},
		"authorization_pending":        {github.Transient, github.AuthorizationPending},
		"slow_down":                    {github.Transient, github.SlowDown},
		"expired_token":                {github.Rejected, github.ExpiredCode},
		"incorrect_device_code":        {github.Rejected, github.IncorrectDeviceCode},
		"Not Found":                    {github.Misconfigured, github.UnknownClient},
	} {
		for _, status := range []int{200, 400, 401, 403, 404, 422, 429} {
			s.Configure(func(o *githubtest.Options) { o.ErrorStatus = status })
			s.Inject(githubtest.OAuthError(code))
			_, err := s.exchange(t, pair.RefreshToken)
			if e := want(t, err, meaning.class, meaning.reason); e.Status != status {
				t.Errorf("%s was sent with %d, and came with %d", code, status, e.Status)
			}
		}
	}
	if _, err := s.exchange(t, pair.RefreshToken); err != nil {
		t.Errorf("an error code has cost the token: %v", err)
	}
}

func TestStandInPairsThatCanBeSavedAreSaved(t *testing.T) {
	for name, fault := range map[string]githubtest.Fault{
		"the end is cut off":      githubtest.CutBody(-20),
		"slow":                    githubtest.SlowBody(time.Millisecond),
		"long":                    githubtest.HugeBody(32 << 10),
		"10 MiB behind the pair":  githubtest.HugeBody(10 << 20),
		"without scope and type":  githubtest.WithoutFields("scope", "token_type"),
		"with an unknown field":   githubtest.WithField("refresh_token_kind", map[string]any{"a": 1}),
		"as a form":               githubtest.ContentType("application/x-www-form-urlencoded"),
		"labelled as a page":      githubtest.ContentType("text/html"),
		"lifetime of another day": githubtest.WithField("expires_in", "3600"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			pair := s.Mint(clientID, person)
			s.Inject(fault)
			tokens, err := s.exchange(t, pair.RefreshToken)
			if err != nil {
				t.Fatal(err)
			}
			newest, _ := s.Successor(pair.RefreshToken)
			if tokens.AccessToken.Reveal() != newest.AccessToken || tokens.RefreshToken.Reveal() != newest.RefreshToken {
				t.Error("the pair is not the one that was issued")
			}
		})
	}
}

func TestStandInConfigurationErrorsLeaveTheTokenAlone(t *testing.T) {
	s := newScene(t)
	pair := s.Mint(clientID, person)
	right := s.app
	for reason, app := range map[github.Reason]github.App{
		github.IncorrectClientCredentials: {Host: right.Host, ClientID: clientID, ClientSecret: credential.NewClientSecret("wrong")},
		github.UnknownClient:              {Host: right.Host, ClientID: "Iv23liUnknown", ClientSecret: right.ClientSecret},
	} {
		s.app = app
		_, err := s.exchange(t, pair.RefreshToken)
		want(t, err, github.Misconfigured, reason)
	}
	s.app = right
	if _, err := s.exchange(t, pair.RefreshToken); err != nil {
		t.Errorf("the token does not work after the configuration was corrected: %v", err)
	}
	_, err := s.exchange(t, pair.RefreshToken)
	want(t, err, github.Rejected, github.RefreshTokenRejected)
}

func TestStandInDeviceFlowAtTheStandIn(t *testing.T) {
	s := newScene(t, func(a *githubtest.App) { a.DeviceInterval = time.Second })
	addUser(s)
	begin := func() github.DeviceAuthorization {
		t.Helper()
		authorization, err := s.client.RequestDeviceCode(t.Context(), s.app)
		if err != nil {
			t.Fatal(err)
		}
		return authorization
	}
	poll := func(a github.DeviceAuthorization) (github.Tokens, error) {
		t.Helper()
		reply, err := s.client.PollDevice(t.Context(), s.app, a.DeviceCode)
		if err != nil {
			t.Fatal(err)
		}
		return reply.Tokens()
	}

	pending := begin()
	_, err := poll(pending)
	want(t, err, github.Transient, github.AuthorizationPending)
	_, err = poll(pending)
	if e := want(t, err, github.Transient, github.SlowDown); e.RetryAfter < time.Second {
		t.Errorf("the new interval is %s", e.RetryAfter)
	}

	denied := begin()
	if err := s.DenyDevice(denied.UserCode); err != nil {
		t.Fatal(err)
	}
	_, err = poll(denied)
	want(t, err, github.Misconfigured, github.AccessDenied)

	approved := begin()
	if err := s.ApproveDevice(approved.UserCode, person); err != nil {
		t.Fatal(err)
	}
	tokens, err := poll(approved)
	if err != nil {
		t.Fatal(err)
	}
	s.app.ClientSecret = credential.ClientSecret{}
	if _, err := s.exchange(t, tokens.RefreshToken.Reveal()); err != nil {
		t.Errorf("a token of the device flow cannot be refreshed without a client secret: %v", err)
	}

	s.UpdateApp(clientID, func(a *githubtest.App) { a.DeviceFlow = false })
	_, err = s.client.RequestDeviceCode(t.Context(), s.app)
	want(t, err, github.Misconfigured, github.DeviceFlowDisabled)
}

func TestStandInIdentityAndRevocationAtTheStandIn(t *testing.T) {
	s := newScene(t)
	pair := s.Mint(clientID, person)
	access := credential.NewAccessToken(pair.AccessToken)
	user, err := s.client.User(t.Context(), s.app.Host, access)
	if err != nil || user.Login != person || user.ID <= 0 {
		t.Errorf("user %v, %v", user, err)
	}
	withoutSecret := s.app
	withoutSecret.ClientSecret = credential.ClientSecret{}
	check := func(want bool) {
		t.Helper()
		for _, app := range []github.App{s.app, withoutSecret} {
			if check, err := s.client.CheckToken(t.Context(), app, access); err != nil || check.Alive != want {
				t.Errorf("alive=%t, %v; want %t", check.Alive, err, want)
			}
		}
	}
	check(true)
	if err := s.client.RevokeToken(t.Context(), s.app, access); err != nil {
		t.Fatal(err)
	}
	if s.Alive(pair.AccessToken) {
		t.Error("a revoked token lives")
	}
	check(false)
	want(t, s.client.RevokeToken(t.Context(), s.app, access), github.Transient, github.TokenInvalid)

	pair = s.Mint(clientID, person)
	if err := s.client.RevokeCredentials(t.Context(), s.app.Host, credential.NewAccessToken(pair.AccessToken), credential.NewRefreshToken(pair.RefreshToken)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Alive(pair.AccessToken) || s.Alive(pair.RefreshToken); {
		if time.Now().After(deadline) {
			t.Fatal("revoked credentials live")
		}
		time.Sleep(5 * time.Millisecond)
	}
	access = credential.NewAccessToken(pair.AccessToken)
	check(false)

	wrong := s.app
	wrong.ClientSecret = credential.NewClientSecret("wrong")
	_, err = s.client.CheckToken(t.Context(), wrong, access)
	want(t, err, github.Misconfigured, github.IncorrectClientCredentials)
}
