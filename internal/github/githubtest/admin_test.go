package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// admin calls the admin side and decodes its answer into value, unless that is nil.
func admin(t *testing.T, gh *Server, method, target, content string, value any) int {
	t.Helper()
	recorder := httptest.NewRecorder()
	gh.Admin().ServeHTTP(recorder, httptest.NewRequest(method, target, strings.NewReader(content)))
	if value != nil {
		if err := json.Unmarshal(recorder.Body.Bytes(), value); err != nil {
			t.Fatalf("%s %s: the answer is not the JSON expected: %v", method, target, err)
		}
	}
	return recorder.Code
}

func tokenBody(token string) string {
	content, _ := json.Marshal(map[string]string{"token": token})
	return string(content)
}

func TestAdminSideMintsAndEndsTokens(t *testing.T) {
	gh := newServer(t)
	var pair pairJSON
	want(t, "mint", admin(t, gh, "POST", "/mint?app="+clientID+"&user=newcomer", "", &pair), 200)
	want(t, "user", pair.User, "newcomer")
	want(t, "alive", gh.Alive(pair.RefreshToken), true)

	var state TokenState
	want(t, "state", admin(t, gh, "POST", "/state", tokenBody(pair.AccessToken), &state), 200)
	want(t, "state's kind", state.Kind, "access")
	want(t, "state's alive", state.Alive, true)
	want(t, "expire", admin(t, gh, "POST", "/expire", tokenBody(pair.AccessToken), nil), 200)
	admin(t, gh, "POST", "/state", tokenBody(pair.AccessToken), &state)
	want(t, "state after expiry", state.Cause, Expired)
	want(t, "revoke", admin(t, gh, "POST", "/revoke", tokenBody(pair.RefreshToken), nil), 200)
	want(t, "alive after that", gh.Alive(pair.RefreshToken), false)
	want(t, "revoke again", admin(t, gh, "POST", "/revoke", tokenBody(pair.RefreshToken), nil), 404)

	var device pairJSON
	admin(t, gh, "POST", "/mint?device=true&app="+clientID+"&user=octocat", "", &device)
	parameters := refreshing(device.RefreshToken)
	parameters.Del("client_secret")
	want(t, "refresh of a device's token", send(t, gh, tokenRequest(parameters)).text("error"), "")
	want(t, "revoke the grant", admin(t, gh, "POST", "/revoke?app="+clientID+"&user=octocat", "", nil), 200)
	last, _ := gh.Last(device.RefreshToken)
	want(t, "alive after that", gh.Alive(last.AccessToken), false)
}

func TestAdminSideTellsNoTokenUnlessAsked(t *testing.T) {
	gh := newServer(t)
	seed := gh.Mint(clientID, "octocat")
	refresh(t, gh, seed.RefreshToken)
	refresh(t, gh, seed.RefreshToken)
	pair, _ := gh.Last(seed.RefreshToken)
	gh.Inject(Hold().ForRefreshToken(pair.RefreshToken))
	deviceCode(t, gh)
	for _, path := range []string{
		"/apps", "/chains", "/exchanges", "/presentations", "/double-spends", "/violations", "/summary", "/devices",
		"/faults", "/deliveries", "/healthz",
	} {
		recorder := httptest.NewRecorder()
		gh.Admin().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		want(t, path, recorder.Code, 200)
		for _, secret := range []string{"ghu_", "ghr_", clientSecret, pair.AccessToken, pair.RefreshToken} {
			if strings.Contains(recorder.Body.String(), secret) {
				t.Errorf("%s tells a secret", path)
			}
		}
	}
	var chains []struct {
		Length int      `json:"length"`
		Pair   pairJSON `json:"pair"`
	}
	want(t, "reveal", admin(t, gh, "GET", "/chains?reveal&user=octocat&app="+clientID, "", &chains), 200)
	want(t, "length", chains[0].Length, 2)
	want(t, "revealed", chains[0].Pair.RefreshToken == pair.RefreshToken, true)

	var presentations []Presentation
	admin(t, gh, "GET", "/presentations?fingerprint="+Fingerprint(seed.RefreshToken)[:8], "", &presentations)
	want(t, "presentations of one token", len(presentations), 2)
	var summary Summary
	admin(t, gh, "GET", "/summary", "", &summary)
	want(t, "exchanges", summary.Exchanges, 1)
	want(t, "double spends", summary.DoubleSpends, 1)
	want(t, "refused", summary.Outcomes[RefusedToken], 1)
}

func TestAdminSideChangesAnApp(t *testing.T) {
	gh := newServer(t)
	change := `{"accessTokenLifetime":"30s","refreshTokenLifetime":"1h","secrets":["new"],"deviceFlow":false,"rateLimit":1,"maxTokens":-1,"maxCreations":-1,"deviceCodeEntries":1}`
	want(t, "status", admin(t, gh, "PATCH", "/apps/"+clientID, change, nil), 200)
	pair := gh.Mint(clientID, "octocat")
	want(t, "lifetime", time.Until(pair.AccessTokenExpiresAt) <= 30*time.Second, true)
	want(t, "old secret", refresh(t, gh, pair.RefreshToken).text("error"), "incorrect_client_credentials")
	want(t, "over the limit", refresh(t, gh, pair.RefreshToken).status, 403)
	want(t, "device flow", deviceCode(t, gh).status, 400)
	gh.UpdateApp(clientID, func(a *App) {
		want(t, "limits", fmt.Sprint(a.MaxTokens, a.MaxCreations, a.DeviceCodeEntries), "-1 -1 1")
	})
	var apps []struct {
		AccessTokenLifetime string `json:"accessTokenLifetime"`
	}
	admin(t, gh, "GET", "/apps", "", &apps)
	want(t, "lifetime shown", apps[0].AccessTokenLifetime, "30s")
}

func TestAdminSideDecidesOnDevices(t *testing.T) {
	gh := newServer(t)
	first, second := deviceCode(t, gh), deviceCode(t, gh)
	code := func(a answer) string { return url.QueryEscape(a.text("user_code")) }
	var waiting []PendingDevice
	admin(t, gh, "GET", "/devices", "", &waiting)
	want(t, "waiting", len(waiting), 2)
	want(t, "approve", admin(t, gh, "POST", "/devices/approve?user=octocat&code="+code(first), "", nil), 200)
	want(t, "deny", admin(t, gh, "POST", "/devices/deny?code="+code(second), "", nil), 200)
	want(t, "first", poll(t, gh, first.text("device_code")).text("error"), "")
	want(t, "second", poll(t, gh, second.text("device_code")).text("error"), "access_denied")
	want(t, "approve again", admin(t, gh, "POST", "/devices/approve?user=octocat&code="+code(first), "", nil), 404)
}

func TestAdminSideInjectsFaults(t *testing.T) {
	cases := map[string]struct {
		request, label string
		status         int
		committed      bool
	}{
		"badGateway after the commit": {`{"preset":"badGateway","afterCommit":true}`, "502 after commit", 502, true},
		"unavailable":                 {`{"preset":"unavailable"}`, "503 before commit", 503, false},
		"serverError":                 {`{"preset":"serverError"}`, "500 before commit", 500, false},
		"htmlPage":                    {`{"preset":"htmlPage"}`, "200 before commit", 200, false},
		"emptyBody":                   {`{"preset":"emptyBody","status":204}`, "204 before commit", 204, false},
		"notJSON":                     {`{"preset":"notJSON"}`, "200 before commit", 200, false},
		"redirect":                    {`{"preset":"redirect","url":"https://evil.example","header":{"X-A":"b"}}`, "307 before commit", 307, false},
		"rateLimited":                 {`{"preset":"rateLimited","status":429,"retryAfter":"30s"}`, "429 before commit", 429, false},
		"secondaryRateLimit":          {`{"preset":"secondaryRateLimit"}`, "403 before commit", 403, false},
		"oauthError":                  {`{"preset":"oauthError","error":"invalid_grant","status":400}`, "invalid_grant before commit", 400, false},
		"hold, released at once":      {`{"preset":"hold"}`, "hold before commit", 200, true},
		"delay":                       {`{"preset":"delay","delay":"1ms"}`, "delay before commit", 200, true},
		"slowBody":                    {`{"preset":"slowBody","every":"1us"}`, "drip after commit", 200, true},
		"hugeBody":                    {`{"preset":"hugeBody","bytes":1000}`, "pad after commit", 200, true},
		"withoutFields":               {`{"preset":"withoutFields","fields":{"expires_in":null}}`, "change after commit", 200, true},
		"withField":                   {`{"preset":"withField","fields":{"expires_in":1234567890}}`, "change after commit", 200, true},
		"contentType":                 {`{"preset":"contentType","contentType":"text/html"}`, "mislabel after commit", 200, true},
		"an effect spelt out":         {`{"effect":"reply","status":504,"body":"late","contentType":"text/plain"}`, "504 before commit", 504, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			var injected struct{ ID int }
			want(t, "status", admin(t, gh, "POST", "/faults", c.request, &injected), 200)
			target := "/faults/" + string(rune('0'+injected.ID))
			want(t, "release", admin(t, gh, "POST", target+"/release", "", nil), 200)
			want(t, "status of the refresh", refresh(t, gh, seed.RefreshToken).status, c.status)
			want(t, "committed", gh.ExchangesOf(seed.RefreshToken) == 1, c.committed)
			want(t, "label", gh.Presentations()[0].Fault, c.label)
			var faults []struct{ Hits int }
			admin(t, gh, "GET", "/faults", "", &faults)
			want(t, "hits", faults[0].Hits, 1)
			want(t, "delete", admin(t, gh, "DELETE", target, "", nil), 200)
			want(t, "delete all", admin(t, gh, "DELETE", "/faults", "", nil), 200)
		})
	}
	for _, preset := range []string{"resetConnection", "closeConnection", "dropReply", "cutBody"} {
		t.Run(preset, func(t *testing.T) {
			gh := newServer(t)
			seed := gh.Mint(clientID, "octocat")
			want(t, "status", admin(t, gh, "POST", "/faults", `{"preset":"`+preset+`"}`, nil), 200)
			response, err := overHTTP(inProcess(gh), "https://github.com", seed.RefreshToken)
			if err == nil {
				want(t, "status", response.StatusCode, http.StatusOK) // cutBody breaks in the body
				response.Body.Close()
			}
			want(t, "broke before the reply", err != nil, preset != "cutBody")
		})
	}
}

func TestAdminSideRefusesNonsense(t *testing.T) {
	gh := newServer(t)
	cases := map[string]struct {
		method, target, body string
		status               int
	}{
		"an App that is not there":      {"POST", "/mint?app=none&user=octocat", "", 404},
		"no user":                       {"POST", "/mint?app=" + clientID, "", 400},
		"a token that was never issued": {"POST", "/state", tokenBody("ghu_x"), 404},
		"expiry of such a token":        {"POST", "/expire", tokenBody("ghu_x"), 404},
		"a body that is not JSON":       {"POST", "/state", "ghu_x", 400},
		"expiry without JSON":           {"POST", "/expire", "", 400},
		"revocation without JSON":       {"POST", "/revoke", "", 400},
		"a grant that is not there":     {"POST", "/revoke?app=" + clientID + "&user=nobody", "", 404},
		"change of an App not there":    {"PATCH", "/apps/none", "{}", 404},
		"a lifetime that is none":       {"PATCH", "/apps/" + clientID, `{"accessTokenLifetime":"soon"}`, 400},
		"a lifetime of zero":            {"PATCH", "/apps/" + clientID, `{"refreshTokenLifetime":"0s"}`, 400},
		"a setting that is not there":   {"PATCH", "/apps/" + clientID, `{"colour":"blue"}`, 400},
		"a preset that is not there":    {"POST", "/faults", `{"preset":"flood"}`, 400},
		"an effect that is not there":   {"POST", "/faults", `{"effect":"flood"}`, 400},
		"an endpoint that is not there": {"POST", "/faults", `{"preset":"hold","endpoint":"moon"}`, 400},
		"a reply without status":        {"POST", "/faults", `{"effect":"reply"}`, 400},
		"an impossible status":          {"POST", "/faults", `{"preset":"badGateway","status":1000}`, 400},
		"an OAuth error without a name": {"POST", "/faults", `{"preset":"oauthError"}`, 400},
		"an OAuth error with status 99": {"POST", "/faults", `{"preset":"oauthError","error":"x","status":99}`, 400},
		"a delay that is none":          {"POST", "/faults", `{"preset":"delay","delay":"x"}`, 400},
		"a pause that is none":          {"POST", "/faults", `{"preset":"slowBody","every":"x"}`, 400},
		"a Retry-After that is none":    {"POST", "/faults", `{"preset":"rateLimited","retryAfter":"x"}`, 400},
		"a fault that is not JSON":      {"POST", "/faults", `[]`, 400},
		"release of no fault":           {"POST", "/faults/7/release", "", 404},
		"approval without a user":       {"POST", "/devices/approve?code=ABCD-EFGH", "", 400},
		"denial of an unknown code":     {"POST", "/devices/deny?code=ABCD-EFGH", "", 404},
		"redelivery of nothing":         {"POST", "/deliveries/none/redeliver", "", 404},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var refused struct{ Error string }
			want(t, "status", admin(t, gh, c.method, c.target, c.body, &refused), c.status)
			want(t, "says why", refused.Error != "", true)
			want(t, "repeats the token", strings.Contains(refused.Error, "ghu_x"), false)
		})
	}
}
