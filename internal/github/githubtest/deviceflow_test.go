package githubtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func deviceCode(t *testing.T, gh *Server) answer {
	t.Helper()
	r := tokenRequest(url.Values{"client_id": {clientID}})
	r.URL.Path = "/login/device/code"
	return send(t, gh, r)
}

func poll(t *testing.T, gh *Server, code string) answer {
	t.Helper()
	return send(t, gh, tokenRequest(url.Values{
		"client_id": {clientID}, "device_code": {code}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
	}))
}

func TestDeviceFlowGivesAPairToWhoeverWasApproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		start := deviceCode(t, gh)
		want(t, "status", start.status, 200)
		want(t, "user code's form", regexp.MustCompile(`^[A-Z]{4}-[A-Z]{4}$`).MatchString(start.text("user_code")), true)
		want(t, "verification_uri", start.text("verification_uri"), "https://github.com/login/device")
		want(t, "expires_in", start.fields["expires_in"], any(900.0))
		want(t, "interval", start.fields["interval"], any(5.0))

		want(t, "first poll", poll(t, gh, start.text("device_code")).text("error"), "authorization_pending")
		time.Sleep(5 * time.Second)
		want(t, "waiting", gh.PendingDevices()[0].UserCode, start.text("user_code"))
		if err := gh.ApproveDevice(strings.ToLower(strings.ReplaceAll(start.text("user_code"), "-", "")), "octocat"); err != nil {
			t.Fatalf("approve: %v", err)
		}
		got := poll(t, gh, start.text("device_code"))
		want(t, "error", got.text("error"), "")
		user, works := gh.Authenticate(got.text("access_token"))
		want(t, "works", works, true)
		want(t, "user", user.Login, "octocat")
		want(t, "nobody waits any longer", len(gh.PendingDevices()), 0)

		time.Sleep(5 * time.Second)
		want(t, "the code once used", poll(t, gh, start.text("device_code")).text("error"), "incorrect_device_code")
		parameters := refreshing(got.text("refresh_token"))
		parameters.Del("client_secret")
		want(t, "refresh without secret", send(t, gh, tokenRequest(parameters)).text("error"), "")
	})
}

func TestDeviceFlowIntervalIsCheckedBeforeAnythingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		start := deviceCode(t, gh)
		poll(t, gh, start.text("device_code"))
		if err := gh.ApproveDevice(start.text("user_code"), "octocat"); err != nil {
			t.Fatalf("approve: %v", err)
		}
		time.Sleep(5*time.Second - time.Nanosecond)
		got := poll(t, gh, start.text("device_code"))
		want(t, "too early, although approved", got.text("error"), "slow_down")
		want(t, "new interval", got.fields["interval"], any(10.0))
		time.Sleep(9 * time.Second)
		got = poll(t, gh, start.text("device_code"))
		want(t, "too early for the new interval", got.text("error"), "slow_down")
		want(t, "newer interval", got.fields["interval"], any(15.0))
		time.Sleep(15 * time.Second)
		want(t, "in time", poll(t, gh, start.text("device_code")).text("error"), "")
	})
}

func TestDeviceFlowHowADeviceFlowEndsWithoutAPair(t *testing.T) {
	cases := map[string]struct {
		happens func(*testing.T, *Server, string)
		error   string
	}{
		"the person cancels": {func(t *testing.T, gh *Server, userCode string) {
			if err := gh.DenyDevice(userCode); err != nil {
				t.Fatalf("deny: %v", err)
			}
		}, "access_denied"},
		"the code expires": {func(t *testing.T, gh *Server, userCode string) {
			time.Sleep(DefaultDeviceCodeLifetime)
			want(t, "approval too late", gh.ApproveDevice(userCode, "octocat"), ErrUserCodeExpired)
		}, "expired_token"},
		"the App's device flow is switched off meanwhile": {func(_ *testing.T, gh *Server, _ string) {
			gh.UpdateApp(clientID, func(a *App) { a.DeviceFlow = false })
		}, "device_flow_disabled"},
		"the account has no verified address": {func(t *testing.T, gh *Server, userCode string) {
			gh.UpdateUser("octocat", func(u *User) { u.EmailUnverified = true })
			want(t, "approval", gh.ApproveDevice(userCode, "octocat"), nil)
		}, "unverified_user_email"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gh := newServer(t)
				start := deviceCode(t, gh)
				c.happens(t, gh, start.text("user_code"))
				got := poll(t, gh, start.text("device_code"))
				want(t, "status", got.status, 200)
				want(t, "error", got.text("error"), c.error)
			})
		})
	}
}

func TestDeviceFlowThatCannotBegin(t *testing.T) {
	gh := newServer(t)
	gh.UpdateApp(clientID, func(a *App) { a.DeviceFlow = false })
	got := deviceCode(t, gh)
	want(t, "status when it is off", got.status, 400)
	want(t, "error when it is off", got.text("error"), "device_flow_disabled")

	r := httptest.NewRequest(http.MethodPost, "https://github.com/login/device/code?client_id=Iv23liNobody", nil)
	want(t, "status for an unknown App", send(t, gh, r).status, 404)
	want(t, "error for a code of nobody's", poll(t, gh, "0123").text("error"), "incorrect_device_code")
	want(t, "approval of a code of nobody's", gh.ApproveDevice("ABCD-EFGH", "octocat"), ErrUnknownUserCode)
}

func TestDeviceFlowTakesFiftyCodesAnHourForAnApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		gh.AddApp(App{ClientID: "Iv23liOther", DeviceFlow: true})
		for i := range DefaultDeviceCodeEntries {
			userCode := deviceCode(t, gh).text("user_code")
			if i%2 == 0 {
				want(t, "approval", gh.ApproveDevice(userCode, "octocat"), nil)
			} else {
				want(t, "denial", gh.DenyDevice(userCode), nil)
			}
		}
		start := deviceCode(t, gh)
		want(t, "the 51st", gh.ApproveDevice(start.text("user_code"), "hubot"), ErrTooManyUserCodes)
		want(t, "a code of nobody's", gh.ApproveDevice("BCDF-GHJK", "hubot"), ErrUnknownUserCode)
		want(t, "poll", poll(t, gh, start.text("device_code")).text("error"), "authorization_pending")
		b := newBrowser(t, gh)
		b.open("/login/device")
		b.signIn("hubot")
		b.submit(url.Values{"user_code": {start.text("user_code")}})
		b.shows("Too many codes")
		want(t, "status", b.status, http.StatusTooManyRequests)

		r := tokenRequest(url.Values{"client_id": {"Iv23liOther"}})
		r.URL.Path = "/login/device/code"
		want(t, "another App's", gh.ApproveDevice(send(t, gh, r).text("user_code"), "octocat"), nil)
		time.Sleep(time.Hour)
		want(t, "an hour later", gh.ApproveDevice(deviceCode(t, gh).text("user_code"), "hubot"), nil)
		gh.UpdateApp(clientID, func(a *App) { a.DeviceCodeEntries = -1 })
		for range 2 * DefaultDeviceCodeEntries {
			want(t, "without a limit", gh.DenyDevice(deviceCode(t, gh).text("user_code")), nil)
		}
	})
}

func TestDeviceFlowCountsACodeOnceThatIsEnteredAndConfirmed(t *testing.T) {
	gh := newServer(t, func(o *Options) { o.Apps[0].DeviceCodeEntries = 1 })
	b := newBrowser(t, gh)
	b.open("/login/device")
	b.signIn("octocat")
	b.submit(url.Values{"user_code": {deviceCode(t, gh).text("user_code")}})
	b.shows("Authorize")
	b.submit(url.Values{"decision": {"continue"}})
	b.shows("Congratulations")
}

// That an OAuth App has to ask for its refresh tokens is reported, and not documented: a knob.
func TestDeviceFlowOAuthAppHasToAskForItsRefreshToken(t *testing.T) {
	for scope, c := range map[string]struct {
		scope   string
		refresh bool
	}{
		"":                     {scope: "repo"},
		"repo":                 {scope: "repo"},
		"offline_access":       {scope: "offline_access", refresh: true},
		"repo, offline_access": {scope: "repo,offline_access", refresh: true},
	} {
		t.Run(scope, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gh := newServer(t)
				gh.UpdateApp(clientID, func(a *App) { a.Kind, a.Scope, a.OfflineAccess = OAuthApp, "repo", true })
				r := tokenRequest(url.Values{"client_id": {clientID}, "scope": {scope}})
				r.URL.Path = "/login/device/code"
				start := send(t, gh, r)
				if err := gh.ApproveDevice(start.text("user_code"), "octocat"); err != nil {
					t.Fatal(err)
				}
				got := poll(t, gh, start.text("device_code"))
				want(t, "expires_in", got.fields["expires_in"], any(28800.0))
				want(t, "scope", got.text("scope"), c.scope)
				want(t, "a refresh token", got.text("refresh_token") != "", c.refresh)
				if c.refresh {
					parameters := refreshing(got.text("refresh_token"))
					parameters.Del("client_secret")
					next := send(t, gh, tokenRequest(parameters))
					want(t, "scope of the next pair", next.text("scope"), c.scope)
					want(t, "a refresh token of the next pair", next.text("refresh_token") != "", true)
				}
			})
		})
	}
	gh := newServer(t)
	gh.UpdateApp(clientID, func(a *App) { a.Kind, a.OfflineAccess = OAuthApp, true })
	want(t, "a refresh token of the web flow", gh.Mint(clientID, "octocat").RefreshToken != "", true)
	gh.UpdateApp(clientID, func(a *App) { a.InvalidScopes = []string{"repo"} })
	r := tokenRequest(url.Values{"client_id": {clientID}, "scope": {"gist repo"}})
	r.URL.Path = "/login/device/code"
	want(t, "error for a scope that is not known", send(t, gh, r).text("error"), "invalid_scope")
}
