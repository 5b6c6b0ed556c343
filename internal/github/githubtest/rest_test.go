package githubtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func restRequest(method, url string, content any) *http.Request {
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest(method, url, bytes.NewReader(encoded))
	r.Header.Set("User-Agent", "test")
	r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	return r
}

func getUser(t *testing.T, gh *Server, token string) answer {
	t.Helper()
	r := restRequest(http.MethodGet, "https://api.github.com/user", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return send(t, gh, r)
}

func appCall(t *testing.T, gh *Server, method, path, token string) answer {
	t.Helper()
	r := restRequest(method, "https://api.github.com/applications/"+clientID+path, map[string]string{"access_token": token})
	r.SetBasicAuth(clientID, clientSecret)
	return send(t, gh, r)
}

func TestRESTGetUser(t *testing.T) {
	gh := newServer(t)
	pair := gh.Mint(clientID, "octocat")
	got := getUser(t, gh, pair.AccessToken)
	want(t, "status", got.status, 200)
	want(t, "login", got.text("login"), "octocat")
	want(t, "id", got.fields["id"], any(583231.0))
	want(t, "version", got.header.Get("X-Github-Api-Version-Selected"), "2022-11-28")
	want(t, "rate limit left", got.header.Get("X-Ratelimit-Remaining"), "4999")

	cases := map[string]struct {
		change  func(*http.Request)
		status  int
		message string
	}{
		"a token that was never issued":    {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ghu_never") }, 401, "Bad credentials"},
		"a refresh token":                  {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+pair.RefreshToken) }, 401, "Bad credentials"},
		"no token":                         {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "Requires authentication"},
		"no User-Agent":                    {func(r *http.Request) { r.Header.Del("User-Agent") }, 403, ""},
		"a version that does not exist":    {func(r *http.Request) { r.Header.Set("X-GitHub-Api-Version", "2020-01-01") }, 400, "The X-GitHub-Api-Version header names no version of this API."},
		"the newer version":                {func(r *http.Request) { r.Header.Set("X-GitHub-Api-Version", "2026-03-10") }, 200, ""},
		"no version":                       {func(r *http.Request) { r.Header.Del("X-GitHub-Api-Version") }, 200, ""},
		"the scheme token":                 {func(r *http.Request) { r.Header.Set("Authorization", "token "+pair.AccessToken) }, 200, ""},
		"an Enterprise Server":             {func(r *http.Request) { r.Host, r.URL.Path = "ghe.example:8443", "/api/v3/user" }, 200, ""},
		"data residency":                   {func(r *http.Request) { r.Host = "api.octocorp.ghe.com" }, 200, ""},
		"an Enterprise Server's other way": {func(r *http.Request) { r.Host = "ghe.example:8443" }, 404, ""},
		"github.com's other way":           {func(r *http.Request) { r.Host, r.URL.Path = "github.com", "/api/v3/user" }, 404, ""},
		"an endpoint that does not exist":  {func(r *http.Request) { r.URL.Path = "/repos" }, 404, "Not Found"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := restRequest(http.MethodGet, "https://api.github.com/user", nil)
			r.Header.Set("Authorization", "Bearer "+pair.AccessToken)
			c.change(r)
			got := send(t, gh, r)
			want(t, "status", got.status, c.status)
			want(t, "message", got.text("message"), c.message)
			want(t, "points to the documentation", got.text("documentation_url") != "", c.message != "")
		})
	}
}

func TestRESTFreshTokenMayBeRefusedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.FreshTokenRefusedFor = 2 * time.Second })
		pair := gh.Mint(clientID, "octocat")
		want(t, "at once", getUser(t, gh, pair.AccessToken).status, 401)
		want(t, "alive all the while", gh.Alive(pair.AccessToken), true)
		time.Sleep(2 * time.Second)
		want(t, "after two seconds", getUser(t, gh, pair.AccessToken).status, 200)
	})
}

func TestRESTSeveralBadCredentialsInARowAreForbiddenForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.BadCredentialsLimit = 3 })
		pair := gh.Mint(clientID, "octocat")
		for range 2 {
			want(t, "a bad one", getUser(t, gh, "ghu_never").status, 401)
		}
		want(t, "a good one between", getUser(t, gh, pair.AccessToken).status, 200)
		for range 3 {
			want(t, "a bad one", getUser(t, gh, "ghu_never").status, 401)
		}
		want(t, "a good one after three bad", getUser(t, gh, pair.AccessToken).status, 403)
		time.Sleep(time.Minute)
		want(t, "a good one a minute later", getUser(t, gh, pair.AccessToken).status, 200)
	})
}

func TestRESTLimitIsEnforcedWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.RESTLimit = 1 })
		pair := gh.Mint(clientID, "octocat")
		want(t, "first", getUser(t, gh, pair.AccessToken).status, 200)
		got := getUser(t, gh, pair.AccessToken)
		want(t, "second", got.status, 403)
		want(t, "left", got.header.Get("X-Ratelimit-Remaining"), "0")
		time.Sleep(time.Hour)
		want(t, "an hour later", getUser(t, gh, pair.AccessToken).status, 200)
	})
}

func TestRESTAppChecksAndDeletesTokens(t *testing.T) {
	gh := newServer(t)
	first, second := gh.Mint(clientID, "octocat"), gh.Mint(clientID, "octocat")

	got := appCall(t, gh, http.MethodPost, "/token", first.AccessToken)
	want(t, "check", got.status, 200)
	user, _ := got.fields["user"].(map[string]any)
	want(t, "user", user["login"], any("octocat"))
	want(t, "check of a token that was never issued", appCall(t, gh, http.MethodPost, "/token", "ghu_never").status, 404)
	want(t, "check of nothing", appCall(t, gh, http.MethodPost, "/token", "").status, 422)

	want(t, "delete", appCall(t, gh, http.MethodDelete, "/token", first.AccessToken).status, 204)
	want(t, "access token alive", gh.Alive(first.AccessToken), false)
	want(t, "refresh token alive", gh.Alive(first.RefreshToken), false)
	want(t, "check of a deleted token", appCall(t, gh, http.MethodPost, "/token", first.AccessToken).status, 404)
	want(t, "another chain alive", gh.Alive(second.AccessToken), true)

	hubot := gh.Mint(clientID, "hubot")
	want(t, "delete the grant", appCall(t, gh, http.MethodDelete, "/grant", second.AccessToken).status, 204)
	want(t, "refresh token of the grant alive", gh.Alive(second.RefreshToken), false)
	want(t, "another user's token alive", gh.Alive(hubot.AccessToken), true)
}

func TestRESTDeletedTokenMayLeaveTheOtherOneOfItsPairAlive(t *testing.T) {
	gh := newServer(t, func(o *Options) { o.DeleteSparesRefreshToken = true })
	pair := gh.Mint(clientID, "octocat")
	want(t, "delete", appCall(t, gh, http.MethodDelete, "/token", pair.AccessToken).status, 204)
	want(t, "access token alive", gh.Alive(pair.AccessToken), false)
	want(t, "refresh token alive", gh.Alive(pair.RefreshToken), true)
	want(t, "delete again", appCall(t, gh, http.MethodDelete, "/token", pair.AccessToken).status, 404)
	want(t, "error of a refresh", refresh(t, gh, pair.RefreshToken).text("error"), "")
}

func TestRESTAppMustProveItself(t *testing.T) {
	gh := newServer(t)
	gh.AddApp(App{ClientID: "Iv23liOther", Secrets: []string{"other"}})
	pair := gh.Mint(clientID, "octocat")
	cases := map[string]struct {
		change func(*http.Request)
		status int
	}{
		"no credentials":     {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"a wrong secret":     {func(r *http.Request) { r.SetBasicAuth(clientID, "wrong") }, 401},
		"another App's path": {func(r *http.Request) { r.SetBasicAuth("Iv23liOther", "other") }, 404},
		"another App's token": {func(r *http.Request) {
			r.SetBasicAuth("Iv23liOther", "other")
			r.URL.Path = "/applications/Iv23liOther/token"
		}, 404},
		"a body that is not JSON":  {func(r *http.Request) { r.Body = http.NoBody }, 400},
		"everything as it must be": {func(*http.Request) {}, 200},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := restRequest(http.MethodPost, "https://api.github.com/applications/"+clientID+"/token",
				map[string]string{"access_token": pair.AccessToken})
			r.SetBasicAuth(clientID, clientSecret)
			c.change(r)
			want(t, "status", send(t, gh, r).status, c.status)
		})
	}
}

func TestRESTAnybodyCanRevokeTheTokensTheyHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t, func(o *Options) { o.RevokeLimit = 3 })
		revoke := func(credentials ...string) answer {
			return send(t, gh, restRequest(http.MethodPost, "https://api.github.com/credentials/revoke", map[string]any{"credentials": credentials}))
		}
		pair := gh.Mint(clientID, "octocat")
		want(t, "status", revoke(pair.AccessToken, "ghu_never").status, 202)
		want(t, "access token alive", gh.Alive(pair.AccessToken), false)
		want(t, "refresh token, which was not named, alive", gh.Alive(pair.RefreshToken), true)
		want(t, "status", revoke(pair.RefreshToken).status, 202)
		want(t, "refresh token alive", gh.Alive(pair.RefreshToken), false)
		want(t, "error of a refresh", refresh(t, gh, pair.RefreshToken).text("error"), "bad_refresh_token")
		want(t, "nothing named", revoke().status, 422)
		got := revoke(pair.RefreshToken)
		want(t, "over the limit", got.status, 403)
		want(t, "left", got.header.Get("X-Ratelimit-Remaining"), "0")
		time.Sleep(time.Hour)
		want(t, "an hour later", revoke(pair.RefreshToken).status, 202)
		want(t, "too many", revoke(strings.Fields(strings.Repeat("ghu_x ", 1001))...).status, 422)
	})
}

// github.com takes no authentication there, and an Enterprise Server nothing without.
func TestRESTWhoMayRevokeCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		enterprise, authenticated bool
		status                    int
	}{
		"github.com":                          {false, false, 202},
		"github.com, authenticated":           {false, true, 403},
		"an Enterprise Server":                {true, false, 401},
		"an Enterprise Server, authenticated": {true, true, 202},
	} {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t, func(o *Options) { o.RevokeNeedsAuthentication = c.enterprise })
			pair := gh.Mint(clientID, "octocat")
			r := restRequest(http.MethodPost, "https://api.github.com/credentials/revoke", map[string]any{"credentials": []string{pair.AccessToken}})
			if c.authenticated {
				r.Header.Set("Authorization", "Bearer "+gh.Mint(clientID, "hubot").AccessToken)
			}
			want(t, "status", send(t, gh, r).status, c.status)
			want(t, "the token lives", gh.Alive(pair.AccessToken), c.status != 202)
		})
	}
}
