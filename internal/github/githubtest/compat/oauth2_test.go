package compat

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	clientID     = "Iv23liCompat"
	clientSecret = "s3cret"
	callback     = "https://app.example/callback"
)

func newServer(t *testing.T) *githubtest.Server {
	t.Helper()
	gh := githubtest.New(githubtest.Options{
		Apps: []githubtest.App{{
			ClientID: clientID, Secrets: []string{clientSecret}, DeviceFlow: true,
			CallbackURLs: []string{callback}, AutoApprove: true,
		}},
		Users: []githubtest.User{{Login: "octocat", ID: 583231}},
	})
	t.Cleanup(gh.Close)
	return gh
}

func config(base string, style oauth2.AuthStyle) *oauth2.Config {
	return &oauth2.Config{
		ClientID: clientID, ClientSecret: clientSecret, RedirectURL: callback,
		Endpoint: oauth2.Endpoint{
			AuthURL:       base + "/login/oauth/authorize",
			TokenURL:      base + "/login/oauth/access_token",
			DeviceAuthURL: base + "/login/device/code",
			AuthStyle:     style,
		},
	}
}

func with(client *http.Client) context.Context {
	return context.WithValue(context.Background(), oauth2.HTTPClient, client)
}

func expired(pair githubtest.Pair) *oauth2.Token {
	return &oauth2.Token{AccessToken: pair.AccessToken, RefreshToken: pair.RefreshToken, Expiry: time.Now().Add(-time.Minute)}
}

func want[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

func TestOAuth2RefreshesOverTLS(t *testing.T) {
	for _, style := range []string{"form", "strings"} {
		t.Run(style, func(t *testing.T) {
			gh := newServer(t)
			gh.UpdateApp(clientID, func(a *githubtest.App) { a.NumbersAsStrings = style == "strings" })
			site := gh.StartTest(t)
			seed := gh.Mint(clientID, "octocat")
			got, err := config(site.URL, oauth2.AuthStyleInParams).TokenSource(with(site.Client()), expired(seed)).Token()
			if err != nil {
				t.Fatalf("refresh: %v", err)
			}
			next, _ := gh.Successor(seed.RefreshToken)
			want(t, "access token is the successor's", got.AccessToken == next.AccessToken, true)
			want(t, "refresh token is the successor's", got.RefreshToken == next.RefreshToken, true)
			want(t, "type", got.Type(), "Bearer")
			want(t, "expires in 8 hours", time.Until(got.Expiry).Round(time.Minute), 8*time.Hour)
			want(t, "old access token alive", gh.Alive(seed.AccessToken), false)
			want(t, "violations", len(gh.Violations()), 0)
			want(t, "presentations", len(gh.Presentations()), 1)
		})
	}
}

func TestOAuth2UnderstandsRefusals(t *testing.T) {
	cases := map[string]struct {
		prepare func(*githubtest.Server, githubtest.Pair)
		secret  string
		code    string
	}{
		"a spent token":         {func(gh *githubtest.Server, p githubtest.Pair) { gh.Revoke(p.RefreshToken) }, clientSecret, "bad_refresh_token"},
		"a wrong client secret": {func(*githubtest.Server, githubtest.Pair) {}, "wrong", "incorrect_client_credentials"},
		"a refusal with status 400": {func(gh *githubtest.Server, p githubtest.Pair) {
			gh.Configure(func(o *githubtest.Options) { o.ErrorStatus = http.StatusBadRequest })
			gh.Revoke(p.RefreshToken)
		}, clientSecret, "bad_refresh_token"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			site := gh.StartTest(t)
			seed := gh.Mint(clientID, "octocat")
			c.prepare(gh, seed)
			client := config(site.URL, oauth2.AuthStyleInParams)
			client.ClientSecret = c.secret
			_, err := client.TokenSource(with(site.Client()), expired(seed)).Token()
			var refused *oauth2.RetrieveError
			if !errors.As(err, &refused) {
				t.Fatalf("not an OAuth refusal: %v", err)
			}
			want(t, "code", refused.ErrorCode, c.code)
			want(t, "described", refused.ErrorDescription != "", true)
			want(t, "has a URI", refused.ErrorURI != "", true)
		})
	}
}

// Without an AuthStyle x/oauth2 tries HTTP Basic first, which GitHub does not know, and after any error sends the refresh
// token again: the trap that the operator's own client exists for. The stand-in has to show it.
func TestOAuth2ThatProbesIsSeenToPresentTheTokenTwice(t *testing.T) {
	for name, inject := range map[string]func(*githubtest.Server){
		"always":          func(*githubtest.Server) {},
		"after a 502 too": func(gh *githubtest.Server) { gh.Inject(githubtest.BadGateway()) },
	} {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			site := gh.StartTest(t)
			seed := gh.Mint(clientID, "octocat")
			inject(gh)
			_, err := config(site.URL, oauth2.AuthStyleAutoDetect).TokenSource(with(site.Client()), expired(seed)).Token()
			want(t, "error", err, nil)
			want(t, "presentations", len(gh.PresentationsOf(seed.RefreshToken)), 2)
			want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
			basic := false
			for _, v := range gh.Violations() {
				basic = basic || v.Rule == githubtest.BasicAuth
			}
			want(t, "HTTP Basic noted", basic, true)
		})
	}
}

func TestOAuth2GoesThroughTheDeviceFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		ctx := with(&http.Client{Transport: gh.RoundTripper()})
		client := config("https://github.com", oauth2.AuthStyleInParams)
		client.ClientSecret = ""
		device, err := client.DeviceAuth(ctx)
		if err != nil {
			t.Fatalf("ask for a device code: %v", err)
		}
		want(t, "verification URI", device.VerificationURI, "https://github.com/login/device")
		go func() {
			time.Sleep(time.Minute)
			if err := gh.ApproveDevice(device.UserCode, "octocat"); err != nil {
				t.Errorf("approve: %v", err)
			}
		}()
		begin := time.Now()
		token, err := client.DeviceAccessToken(ctx, device)
		if err != nil {
			t.Fatalf("wait for the person: %v", err)
		}
		want(t, "waited", time.Since(begin) >= time.Minute && time.Since(begin) <= 70*time.Second, true)
		user, works := gh.Authenticate(token.AccessToken)
		want(t, "works", works, true)
		want(t, "user", user.Login, "octocat")

		token.Expiry = time.Now().Add(-time.Minute)
		next, err := client.TokenSource(ctx, token).Token()
		if err != nil {
			t.Fatalf("refresh without a client secret: %v", err)
		}
		want(t, "alive", gh.Alive(next.AccessToken), true)
	})
}

func TestOAuth2HearsThatThePersonDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		ctx := with(&http.Client{Transport: gh.RoundTripper()})
		client := config("https://github.com", oauth2.AuthStyleInParams)
		device, err := client.DeviceAuth(ctx)
		if err != nil {
			t.Fatalf("ask for a device code: %v", err)
		}
		if err := gh.DenyDevice(device.UserCode); err != nil {
			t.Fatalf("deny: %v", err)
		}
		_, err = client.DeviceAccessToken(ctx, device)
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) {
			t.Fatalf("not an OAuth refusal: %v", err)
		}
		want(t, "code", refused.ErrorCode, "access_denied")
	})
}

func TestOAuth2GoesThroughTheWebFlowWithPKCE(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t)
	browser := site.Client()
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := config(site.URL, oauth2.AuthStyleInParams)
	verifier := oauth2.GenerateVerifier()

	response, err := browser.Get(client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	response.Body.Close()
	landed, err := url.Parse(response.Header.Get("Location"))
	if err != nil {
		t.Fatalf("read the redirect: %v", err)
	}
	want(t, "state", landed.Query().Get("state"), "state")
	token, err := client.Exchange(with(site.Client()), landed.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatalf("redeem the code: %v", err)
	}
	want(t, "alive", gh.Alive(token.AccessToken), true)
	want(t, "refreshable", gh.Alive(token.RefreshToken), true)
	want(t, "violations", len(gh.Violations()), 0)
}
