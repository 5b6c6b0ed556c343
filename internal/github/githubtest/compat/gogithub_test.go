package compat

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// restClient is a client for the site, as github.com or as an Enterprise Server.
func restClient(t *testing.T, site *githubtest.Site, enterprise bool, options ...github.ClientOptionsFunc) *github.Client {
	t.Helper()
	options = append([]github.ClientOptionsFunc{github.WithHTTPClient(site.Client())}, options...)
	if enterprise {
		options = append(options, github.WithEnterpriseURLs(site.URL, site.URL))
	}
	client, err := github.NewClient(options...)
	if err != nil {
		t.Fatalf("make a client: %v", err)
	}
	return client
}

// asApp is a client with the App's Basic credentials.
func asApp(t *testing.T, site *githubtest.Site, secret string) *github.Client {
	t.Helper()
	return restClient(t, site, false, github.WithTransport(&github.BasicAuthTransport{
		Username: clientID, Password: secret, Transport: site.Client().Transport,
	}))
}

func status(err error) int {
	var refused *github.ErrorResponse
	if !errors.As(err, &refused) {
		return 0
	}
	return refused.Response.StatusCode
}

func TestGoGitHubAsksWhoseTokenItIs(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t)
	for name, enterprise := range map[string]bool{"github.com": false, "Enterprise Server": true} {
		t.Run(name, func(t *testing.T) {
			pair := gh.Mint(clientID, "octocat")
			client := restClient(t, site, enterprise, github.WithAuthToken(pair.AccessToken))
			user, response, err := client.Users.Get(t.Context(), "")
			if err != nil {
				t.Fatalf("GET /user: %v", err)
			}
			want(t, "login", user.GetLogin(), "octocat")
			want(t, "id", user.GetID(), 583231)
			want(t, "rate limit", response.Rate.Limit, 5000)
			want(t, "token's expiry", response.TokenExpiration.Time.Equal(pair.AccessTokenExpiresAt.Truncate(time.Second)), true)

			gh.Revoke(pair.AccessToken)
			_, _, err = client.Users.Get(t.Context(), "")
			want(t, "status for a revoked token", status(err), http.StatusUnauthorized)
		})
	}
}

func TestGoGitHubChecksAndRevokesAsTheApp(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t)
	client := asApp(t, site, clientSecret)
	first, second := gh.Mint(clientID, "octocat"), gh.Mint(clientID, "octocat")

	authorization, _, err := client.Authorizations.Check(t.Context(), clientID, first.AccessToken)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	want(t, "user", authorization.GetUser().GetLogin(), "octocat")
	want(t, "App", authorization.GetApp().GetClientID(), clientID)
	_, _, err = client.Authorizations.Check(t.Context(), clientID, "ghu_never")
	want(t, "check of a token that was never issued", status(err), http.StatusNotFound)

	if _, err := client.Authorizations.Revoke(t.Context(), clientID, first.AccessToken); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	want(t, "revoked alive", gh.Alive(first.AccessToken), false)
	want(t, "other alive", gh.Alive(second.AccessToken), true)
	if _, err := client.Authorizations.DeleteGrant(t.Context(), clientID, second.AccessToken); err != nil {
		t.Fatalf("delete the grant: %v", err)
	}
	want(t, "alive after the grant", gh.Alive(second.RefreshToken), false)

	_, _, err = asApp(t, site, "wrong").Authorizations.Check(t.Context(), clientID, second.AccessToken)
	want(t, "status with a wrong secret", status(err), http.StatusUnauthorized)
}

func TestGoGitHubRevokesCredentialsThatItHolds(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t)
	pair := gh.Mint(clientID, "octocat")
	response, err := restClient(t, site, false).Credentials.Revoke(t.Context(), []string{pair.AccessToken, pair.RefreshToken})
	var accepted *github.AcceptedError
	if err != nil && !errors.As(err, &accepted) {
		t.Fatalf("revoke: %v", err)
	}
	want(t, "status", response.StatusCode, http.StatusAccepted)
	want(t, "access token alive", gh.Alive(pair.AccessToken), false)
	want(t, "refresh token alive", gh.Alive(pair.RefreshToken), false)
}

func TestGoGitHubRecognizesTheRateLimits(t *testing.T) {
	gh := newServer(t)
	gh.Configure(func(o *githubtest.Options) { o.RESTLimit = 1 })
	site := gh.StartTest(t)
	pair := gh.Mint(clientID, "octocat")
	client := restClient(t, site, false, github.WithAuthToken(pair.AccessToken), github.WithDisableRateLimitCheck())

	if _, _, err := client.Users.Get(t.Context(), ""); err != nil {
		t.Fatalf("first GET /user: %v", err)
	}
	_, _, err := client.Users.Get(t.Context(), "")
	var limited *github.RateLimitError
	if !errors.As(err, &limited) {
		t.Fatalf("over the limit: not a rate limit error: %v", err)
	}
	want(t, "left", limited.Rate.Remaining, 0)
	want(t, "resets within the hour", time.Until(limited.Rate.Reset.Time).Round(time.Minute), time.Hour)

	gh.Inject(githubtest.SecondaryRateLimit(time.Minute).At(githubtest.UserEndpoint))
	_, _, err = client.Users.Get(t.Context(), "")
	var secondary *github.AbuseRateLimitError
	if !errors.As(err, &secondary) {
		t.Fatalf("over the secondary limit: not its error: %v", err)
	}
	want(t, "Retry-After", *secondary.RetryAfter, time.Minute)
}

func TestGoGitHubReadsTheWebhook(t *testing.T) {
	events := make(chan any, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		payload, err := github.ValidatePayload(r, []byte("hook"))
		if err != nil {
			events <- err
			return
		}
		event, err := github.ParseWebHook(github.WebHookType(r), payload)
		if err != nil {
			event = err
		}
		_, _ = io.Copy(io.Discard, r.Body)
		events <- event
	}))
	defer receiver.Close()
	gh := newServer(t)
	gh.UpdateApp(clientID, func(a *githubtest.App) { a.WebhookURL, a.WebhookSecret = receiver.URL, "hook" })
	gh.Mint(clientID, "octocat")
	gh.RevokeGrant(clientID, "octocat")

	event, is := (<-events).(*github.GitHubAppAuthorizationEvent)
	if !is {
		t.Fatal("not a github_app_authorization event")
	}
	want(t, "action", event.GetAction(), "revoked")
	want(t, "sender", event.GetSender().GetLogin(), "octocat")
	want(t, "sender's id", event.GetSender().GetID(), 583231)
}
