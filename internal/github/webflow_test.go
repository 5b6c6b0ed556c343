package github_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	webCallback = "http://127.0.0.1:8976/callback"
	webVerifier = "a-verifier-of-more-than-43-characters.0123456789_~"
)

// authorize is a person who opens the page and agrees. It returns the code, with what redeems it.
func (s *scene) authorize(t *testing.T) github.Redemption {
	t.Helper()
	verifier := credential.NewCodeVerifier(webVerifier)
	page := github.AuthorizePage(s.app, github.PageRequest{
		RedirectURI: webCallback, State: "a state", Challenge: github.Challenge(verifier), Login: person,
	})
	browser := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := browser.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	back, err := url.Parse(response.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" || back.Query().Get("state") != "a state" {
		t.Fatalf("the browser was not sent back with a code: %v", err)
	}
	return github.Redemption{Code: credential.NewAuthorizationCode(back.Query().Get("code")), Verifier: verifier, RedirectURI: webCallback}
}

func (s *scene) redeem(t *testing.T, redemption github.Redemption) (github.Tokens, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reply, err := s.client.RedeemCode(ctx, s.app, redemption)
	if err != nil {
		return github.Tokens{}, err
	}
	return reply.Tokens()
}

func webApp(app *githubtest.App) { app.CallbackURLs, app.AutoApprove = []string{webCallback}, true }

func TestWebLoginCodeIsRedeemedAsGitHubWantsIt(t *testing.T) {
	s := newScene(t, webApp)
	redemption := s.authorize(t)
	tokens, err := s.redeem(t, redemption)
	if err != nil || !s.Alive(tokens.AccessToken.Reveal()) || tokens.RefreshToken.IsZero() {
		t.Fatalf("no pair: %v", err)
	}
	if found := s.Violations(); len(found) > 0 {
		t.Errorf("the stand-in holds against the client: %v", found)
	}
	_, err = s.redeem(t, redemption)
	if want(t, err, github.Rejected, github.CodeRejected); !s.Alive(tokens.AccessToken.Reveal()) {
		t.Error("the pair has ended")
	}
}

func TestWebLoginWhatIsWrongIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		app    func(*githubtest.App)
		change func(*scene, *github.Redemption)
		class  github.Class
		reason github.Reason
		ends   bool
	}{
		"another verifier":      {nil, func(_ *scene, r *github.Redemption) { r.Verifier = credential.NewCodeVerifier(webVerifier + "x") }, github.Rejected, github.CodeRejected, true},
		"another redirect URI":  {nil, func(_ *scene, r *github.Redemption) { r.RedirectURI += "/x" }, github.Misconfigured, github.RedirectMismatch, true},
		"a wrong client secret": {nil, func(s *scene, _ *github.Redemption) { s.app.ClientSecret = credential.NewClientSecret("wrong") }, github.Misconfigured, github.IncorrectClientCredentials, false},
		"no client secret":      {nil, func(s *scene, _ *github.Redemption) { s.app.ClientSecret = credential.ClientSecret{} }, github.Misconfigured, github.IncorrectClientCredentials, false},
		"no code":               {nil, func(_ *scene, r *github.Redemption) { r.Code = credential.AuthorizationCode{} }, github.Misconfigured, github.InvalidRequest, true},
		"an unverified address": {nil, func(s *scene, _ *github.Redemption) {
			s.UpdateUser(person, func(u *githubtest.User) { u.EmailUnverified = true })
		}, github.Misconfigured, github.UnverifiedEmail, true},
		"an App that is unknown": {nil, func(s *scene, _ *github.Redemption) { s.app.ClientID = "Iv23liUnknown" }, github.Misconfigured, github.UnknownClient, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, webApp)
			redemption := s.authorize(t)
			c.change(s, &redemption)
			_, err := s.redeem(t, redemption)
			if e := want(t, err, c.class, c.reason); e.EndsCode() != c.ends {
				t.Errorf("ends the code: %t, want %t", e.EndsCode(), c.ends)
			}
		})
	}
}

func TestWebLoginPageAsksForNoScopesOfAGitHubApp(t *testing.T) {
	request := github.PageRequest{RedirectURI: webCallback, State: "s", Challenge: "c", Login: "octocat"}
	for name, c := range map[string]struct {
		app  github.App
		want string
	}{
		"a GitHub App": {
			github.App{Host: "github.com", ClientID: "Iv23liEXAMPLE", Scope: "repo"},
			"https://github.com/login/oauth/authorize?client_id=Iv23liEXAMPLE&code_challenge=c&code_challenge_method=S256&login=octocat&prompt=select_account&redirect_uri=http%3A%2F%2F127.0.0.1%3A8976%2Fcallback&state=s",
		},
		"an OAuth App of a server": {
			github.App{Host: "github.example.com:8443/api/v3", ClientID: "0123456789abcdef0123", Scope: "repo read:org"},
			"https://github.example.com:8443/login/oauth/authorize?client_id=0123456789abcdef0123&code_challenge=c&code_challenge_method=S256&login=octocat&prompt=select_account&redirect_uri=http%3A%2F%2F127.0.0.1%3A8976%2Fcallback&scope=repo+read%3Aorg&state=s",
		},
		"no host": {github.App{Host: "https://github.com", ClientID: "Iv23liEXAMPLE"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := github.AuthorizePage(c.app, request); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
