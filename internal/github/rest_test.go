package github

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const notFound = `{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}`

const badCredentials = `{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}`

// rest answers every request with one reply and keeps the last request.
type rest struct {
	*wire
	method, path, authorization, body, agent, version string
}

func newREST(t *testing.T, status int, header map[string]string, body string) *rest {
	t.Helper()
	s := &rest{}
	s.wire = newWire(t, func(rw http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		s.method, s.path, s.body = r.Method, r.URL.Path, string(sent)
		s.authorization, s.agent, s.version = r.Header.Get("Authorization"), r.Header.Get("User-Agent"), r.Header.Get("X-GitHub-Api-Version")
		for name, value := range header {
			rw.Header().Set(name, value)
		}
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, body)
	})
	return s
}

func TestRESTUserOfAToken(t *testing.T) {
	s := newREST(t, 200, nil, `{"login":"octocat","id":583231,"name":"The Octocat"}`)
	user, err := s.client(t).User(t.Context(), s.host(), credential.NewAccessToken(newAccess))
	if err != nil || user != (User{"octocat", 583231}) {
		t.Errorf("got %v, %v", user, err)
	}
	if s.method != "GET" || s.path != "/api/v3/user" || s.authorization != "Bearer "+newAccess || s.agent != DefaultUserAgent || s.version == "" {
		t.Errorf("request was %s %s by %s, version %s", s.method, s.path, s.agent, s.version)
	}
}

func TestRESTWhatIsNoAccountIsNotTakenForOne(t *testing.T) {
	for name, body := range map[string]string{
		"no login":           `{"id":1}`,
		"no id":              `{"login":"octocat"}`,
		"a login of 300":     `{"login":"` + strings.Repeat("x", 300) + `","id":1}`,
		"a negative id":      `{"login":"octocat","id":-1}`,
		"something entirely": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newREST(t, 200, nil, body)
			user, err := s.client(t).User(t.Context(), s.host(), credential.NewAccessToken(newAccess))
			if e := asError(t, err); e.Reason != UnreadableReply || user != (User{}) {
				t.Errorf("%s %v", e.Reason, user)
			}
		})
	}
}

func TestRESTTokenIsDeadOnlyIfGitHubSaysSo(t *testing.T) {
	type want struct {
		alive  bool
		reason Reason // empty: no error
	}
	cases := []struct {
		name            string
		status          int
		header          map[string]string
		body            string
		withSecret, not want
	}{
		{"alive", 200, nil, `{"id":1,"token":"","login":"octocat"}`, want{true, ""}, want{true, ""}},
		{"not found, by the API", 404, nil, notFound, want{false, ""}, want{false, NotSupported}},
		{"not found, by a proxy", 404, nil, htmlPage, want{false, NotSupported}, want{false, NotSupported}},
		{"not found, by a gateway", 404, nil, `{"message":"Not Found"}`, want{false, NotSupported}, want{false, NotSupported}},
		{"no route, by a gateway", 404, nil, `{"message":"no Route matched with those values","documentation_url":"https://gateway.example"}`, want{false, NotSupported}, want{false, NotSupported}},
		{"unauthorized, by the API", 401, nil, badCredentials, want{false, IncorrectClientCredentials}, want{false, ""}},
		{"unauthorized, in other letters", 401, nil, `{"message":"bad Credentials"}`, want{false, IncorrectClientCredentials}, want{false, ""}},
		{"no credentials arrived", 401, nil, `{"message":"Requires authentication","documentation_url":"https://docs.github.com/rest"}`, want{false, IncorrectClientCredentials}, want{false, UnreadableReply}},
		{"unauthorized, by a gateway", 401, nil, `{"message":"Unauthorized"}`, want{false, UnreadableReply}, want{false, UnreadableReply}},
		{"unauthorized, by a proxy", 401, nil, htmlPage, want{false, UnreadableReply}, want{false, UnreadableReply}},
		{"locked for a while", 403, nil, `{"message":"Forbidden"}`, want{false, Forbidden}, want{false, Forbidden}},
		{"the account is suspended", 403, nil, `{"message":"Sorry. Your account was suspended."}`, want{false, AccountSuspended}, want{false, AccountSuspended}},
		{"the account has not paid", 403, nil, `{"message":"Your account has a Billing issue","documentation_url":"https://docs.github.com/rest"}`, want{false, BillingIssue}, want{false, BillingIssue}},
		{"its address is not verified", 403, nil, `{"message":"At least one email address must be verified to do that."}`, want{false, UnverifiedEmail}, want{false, UnverifiedEmail}},
		{"too many bad credentials", 403, nil, `{"message":"Maximum number of login attempts exceeded. Please try again later."}`, want{false, LoginAttemptsExceeded}, want{false, LoginAttemptsExceeded}},
		{"SAML", 403, nil, `{"message":"Resource protected by organization SAML enforcement. You must grant your token access to this organization."}`, want{false, SingleSignOn}, want{false, SingleSignOn}},
		{"SAML, by the header", 403, map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/octo-org/sso?authorization_request=AZSCKtL4U8yX"}, `{"message":"Forbidden"}`, want{false, SingleSignOn}, want{false, SingleSignOn}},
		{"an IP allow list", 403, nil, "{\"message\":\"Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and 203.0.113.7 is not permitted to access this resource.\"}", want{false, AddressNotPermitted}, want{false, AddressNotPermitted}},
		{"suspended, in a page", 403, nil, "<html>Sorry. Your account was suspended.</html>", want{false, Forbidden}, want{false, Forbidden}},
		{"suspended, at another status", 401, nil, `{"message":"Sorry. Your account was suspended."}`, want{false, UnreadableReply}, want{false, UnreadableReply}},
		{"rate limit", 403, map[string]string{"X-RateLimit-Remaining": "0"}, `{"message":"API rate limit exceeded"}`, want{false, RateLimited}, want{false, RateLimited}},
		{"secondary rate limit", 429, map[string]string{"Retry-After": "60"}, `{}`, want{false, RateLimited}, want{false, RateLimited}},
		{"outage", 502, nil, htmlPage, want{false, ServerError}, want{false, ServerError}},
		{"redirect", 302, map[string]string{"Location": "https://example.com/"}, "", want{false, Redirected}, want{false, Redirected}},
		{"a page", 200, nil, htmlPage, want{false, UnreadableReply}, want{false, UnreadableReply}},
		{"validation failed", 422, nil, `{"message":"Validation Failed"}`, want{false, InvalidRequest}, want{false, InvalidRequest}},
	}
	for _, tc := range cases {
		for _, secret := range []bool{true, false} {
			s := newREST(t, tc.status, tc.header, tc.body)
			app, want := s.app(), tc.withSecret
			if !secret {
				app.ClientSecret, want = credential.ClientSecret{}, tc.not
			}
			check, err := s.client(t).CheckToken(t.Context(), app, credential.NewAccessToken(newAccess))
			if want.reason == "" && err != nil || check.Alive != want.alive {
				t.Errorf("%s, client secret %t: alive=%t, %v", tc.name, secret, check.Alive, err)
			}
			if want.reason != "" {
				if e := asError(t, err); e.Reason != want.reason || e.Status != tc.status {
					t.Errorf("%s, client secret %t: %s at %d, want %s", tc.name, secret, e.Reason, e.Status, want.reason)
				}
			}
			if secret && (s.method != "POST" || s.path != "/api/v3/applications/"+clientID+"/token" || s.authorization != basic(clientID, app.ClientSecret) || !strings.Contains(s.body, newAccess)) {
				t.Errorf("%s: request was %s %s", tc.name, s.method, s.path)
			}
			if s.requests.Load() != 1 {
				t.Errorf("%s: %d requests", tc.name, s.requests.Load())
			}
		}
	}
}

func TestRESTRateLimitOfTheAPIIsPassedOn(t *testing.T) {
	s := newREST(t, 429, map[string]string{"Retry-After": "61"}, `{"message":"slow"}`)
	_, err := s.client(t).User(t.Context(), s.host(), credential.NewAccessToken(newAccess))
	if e := asError(t, err); e.Class != Transient || e.RetryAfter != 61*time.Second {
		t.Errorf("%s, RetryAfter %s", e.Class, e.RetryAfter)
	}
}

// Whose limit it is tells whether others have to wait for it. Secondary limits come with what is left of the quota.
func TestRESTLimitOfATokenIsToldFromThatOfAnAddress(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header map[string]string
		known  bool
	}{
		{"a user's", map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0"}, true},
		{"an address's", map[string]string{"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0"}, false},
		{"a secondary limit of a user", map[string]string{"Retry-After": "60", "X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4000"}, true},
		{"a secondary limit of an address", map[string]string{"Retry-After": "60", "X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "40"}, false},
		{"one that says nothing", nil, false},
	} {
		s := newREST(t, 429, tc.header, `{"message":"API rate limit exceeded"}`)
		_, err := s.client(t).User(t.Context(), s.host(), credential.NewAccessToken(newAccess))
		if e := asError(t, err); e.Reason != RateLimited || e.KnowsCredential != tc.known {
			t.Errorf("%s: %s, known %t", tc.name, e.Reason, e.KnowsCredential)
		}
	}
}

func TestRESTRevokingAToken(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		reason Reason
	}{
		{204, "", ""}, {404, notFound, TokenInvalid}, {404, `{"message":"Not Found"}`, NotSupported}, {404, htmlPage, NotSupported}, {401, badCredentials, IncorrectClientCredentials}, {500, "", ServerError},
	} {
		s := newREST(t, tc.status, nil, tc.body)
		err := s.client(t).RevokeToken(t.Context(), s.app(), credential.NewAccessToken(newAccess))
		if tc.reason == "" && err != nil {
			t.Errorf("%d: %v", tc.status, err)
		}
		if tc.reason != "" && asError(t, err).Reason != tc.reason {
			t.Errorf("%d: %v", tc.status, err)
		}
		if s.method != "DELETE" || s.path != "/api/v3/applications/"+clientID+"/token" || s.authorization == "" || !strings.Contains(s.body, newAccess) {
			t.Errorf("request was %s %s", s.method, s.path)
		}
	}
	s := newREST(t, 204, nil, "")
	err := s.client(t).RevokeToken(t.Context(), App{Host: s.host(), ClientID: clientID}, credential.NewAccessToken(newAccess))
	wantError(t, err, Misconfigured, IncorrectClientCredentials, false)
	if s.requests.Load() != 0 {
		t.Error("a request was sent without client secret")
	}
}

func TestRESTRevokingCredentials(t *testing.T) {
	s := newREST(t, 202, nil, "{}")
	c := s.client(t)
	if err := c.RevokeCredentials(t.Context(), s.host(), credential.NewAccessToken(newAccess), credential.NewRefreshToken(newRefresh)); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Credentials []string }
	if err := json.Unmarshal([]byte(s.body), &sent); err != nil || len(sent.Credentials) != 2 || sent.Credentials[0] != newAccess || sent.Credentials[1] != newRefresh {
		t.Errorf("the body does not hold both tokens: %v", err)
	}
	if s.method != "POST" || s.path != "/api/v3/credentials/revoke" || s.authorization != "" {
		t.Errorf("request was %s %s", s.method, s.path)
	}
	if err := c.RevokeCredentials(t.Context(), s.host(), credential.NewAccessToken(newAccess), credential.RefreshToken{}); err != nil || strings.Contains(s.body, `""`) {
		t.Errorf("an access token alone: %v", err)
	}
	if err := c.RevokeCredentials(t.Context(), s.host(), credential.AccessToken{}, credential.RefreshToken{}); err != nil || s.requests.Load() != 2 {
		t.Errorf("nothing to revoke: %v, %d requests", err, s.requests.Load())
	}
	for status, reason := range map[int]Reason{404: NotSupported, 422: InvalidRequest, 429: RateLimited, 503: ServerError} {
		s := newREST(t, status, nil, `{"message":"no"}`)
		err := s.client(t).RevokeCredentials(t.Context(), s.host(), credential.NewAccessToken(newAccess), credential.RefreshToken{})
		if e := asError(t, err); e.Reason != reason {
			t.Errorf("%d: %s, want %s", status, e.Reason, reason)
		}
	}
}

func TestRESTCallIsBoundedInTimeAndSize(t *testing.T) {
	release := make(chan struct{})
	silent := newWire(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := silent.client(t).User(ctx, silent.host(), credential.NewAccessToken(newAccess))
	if e := asError(t, err); e.Reason != Timeout || e.Class != Transient {
		t.Errorf("%s %s", e.Class, e.Reason)
	}

	huge := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"login":"`)
		for range 8 << 10 {
			if _, err := io.WriteString(rw, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
		}
		_, _ = io.WriteString(rw, `","id":1}`)
	})
	_, err = huge.client(t).User(t.Context(), huge.host(), credential.NewAccessToken(newAccess))
	if e := asError(t, err); e.Reason != UnreadableReply {
		t.Errorf("8 MiB gave %s", e.Reason)
	}
}

func TestRESTCallsCheckHostAndAddress(t *testing.T) {
	s := newREST(t, 200, nil, `{"login":"octocat","id":1}`)
	options := s.options()
	options.AllowedAddresses = nil
	c := newTestClient(t, options)
	_, err := c.User(t.Context(), s.host(), credential.NewAccessToken(newAccess))
	wantError(t, err, Misconfigured, AddressNotAllowed, false)
	_, err = c.CheckToken(t.Context(), App{Host: "evil.example", ClientID: clientID}, credential.NewAccessToken(newAccess))
	wantError(t, err, Misconfigured, HostNotAllowed, false)
	if s.requests.Load() != 0 {
		t.Error("a request arrived")
	}
}
