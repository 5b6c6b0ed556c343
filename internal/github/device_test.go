package github

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const deviceCode = "3584d83530557fdd1f46af8289938c8ef79f9dc5"

func TestDeviceFlowDeviceAuthorizationIsAskedForAndBounded(t *testing.T) {
	cases := []struct {
		name               string
		fields             string
		lifetime, interval time.Duration
	}{
		{"as documented", `"expires_in":900,"interval":5`, 15 * time.Minute, 5 * time.Second},
		{"strings for numbers", `"expires_in":"600","interval":"7"`, 10 * time.Minute, 7 * time.Second},
		{"nothing said", `"x":1`, 15 * time.Minute, 5 * time.Second},
		{"nonsense", `"expires_in":-1,"interval":0`, 15 * time.Minute, 5 * time.Second},
		{"absurd", `"expires_in":1e18,"interval":1e18`, time.Hour, time.Minute},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var form url.Values
			var w *wire
			w = newWire(t, func(rw http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				form = r.PostForm
				if r.URL.Path != "/login/device/code" || r.Method != http.MethodPost {
					t.Errorf("request was %s %s", r.Method, r.URL.Path)
				}
				_, _ = fmt.Fprintf(rw, `{"device_code":%q,"user_code":"WDJB-MJHT","verification_uri":"https://%s/login/device",%s}`, deviceCode, w.host(), tc.fields)
			})
			start := time.Now()
			got, err := w.client(t).RequestDeviceCode(t.Context(), w.app())
			if err != nil {
				t.Fatal(err)
			}
			if form.Encode() != "client_id="+clientID {
				t.Errorf("the form has %d fields, want client_id alone", len(form))
			}
			if got.DeviceCode.Reveal() != deviceCode || got.UserCode != "WDJB-MJHT" || got.VerificationURI != "https://"+w.host()+"/login/device" {
				t.Errorf("got %v", got)
			}
			if got.Interval != tc.interval || got.ExpiresAt.Before(start.Add(tc.lifetime)) || got.ExpiresAt.After(time.Now().Add(tc.lifetime)) {
				t.Errorf("interval %s, lifetime %s", got.Interval, got.ExpiresAt.Sub(start))
			}
		})
	}
}

func TestDeviceFlowBadDeviceAuthorizationIsRefused(t *testing.T) {
	page := func(uri string) string {
		return `{"device_code":"` + deviceCode + `","user_code":"WDJB-MJHT","verification_uri":"` + uri + `","expires_in":900,"interval":5}`
	}
	cases := []struct {
		name   string
		status int
		body   string
		class  Class
		reason Reason
	}{
		{"the App has no device flow", 400, `{"error":"device_flow_disabled"}`, Misconfigured, DeviceFlowDisabled},
		{"a scope is not known", 200, `{"error":"invalid_scope"}`, Misconfigured, InvalidScope},
		{"the App is not known", 404, `{"error":"Not Found"}`, Misconfigured, UnknownClient},
		{"the page is elsewhere", 200, page("https://evil.example/login/device"), Misconfigured, Redirected},
		{"the page only looks right", 200, page("https://github.com@evil.example/login/device"), Misconfigured, Redirected},
		{"the page is on another port", 200, page("https://github.com:8443/login/device"), Misconfigured, Redirected},
		{"the page has no TLS", 200, page("http://github.com/login/device"), Misconfigured, Redirected},
		{"the page is missing", 200, page(""), Misconfigured, Redirected},
		{"the user code is markup", 200, `{"device_code":"x","user_code":"<b>","verification_uri":"https://github.com/login/device"}`, Ambiguous, UnreadableReply},
		{"the device code is missing", 200, `{"user_code":"WDJB-MJHT","verification_uri":"https://github.com/login/device"}`, Ambiguous, UnreadableReply},
		{"a page", 200, htmlPage, Ambiguous, UnreadableReply},
		{"a rate limit", 429, "", Transient, RateLimited},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := replyOf(tc.status, "application/json", tc.body).deviceAuthorization(host{"github.com", "443"})
			wantError(t, err, tc.class, tc.reason, true)
			if got != (DeviceAuthorization{}) {
				t.Error("an authorization beside the error")
			}
		})
	}
	if _, err := replyOf(200, "", page("https://GitHub.com:443/login/device")).deviceAuthorization(host{"github.com", "443"}); err != nil {
		t.Errorf("the right page is refused: %v", err)
	}
}

func TestDeviceFlowPollIsOneRequestWithoutClientSecret(t *testing.T) {
	answers := []string{`{"error":"authorization_pending"}`, `{"error":"slow_down","interval":10}`, pairAsJSON}
	var forms []string
	w := newWire(t, func(rw http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		forms = append(forms, r.PostForm.Encode())
		_, _ = io.WriteString(rw, answers[len(forms)-1])
	})
	c := w.client(t)
	poll := func() (Tokens, error) {
		reply, err := c.PollDevice(t.Context(), w.app(), credential.NewDeviceCode(deviceCode))
		if err != nil {
			t.Fatal(err)
		}
		return reply.Tokens()
	}
	_, err := poll()
	wantError(t, err, Transient, AuthorizationPending, true)
	_, err = poll()
	if e := wantError(t, err, Transient, SlowDown, true); e.RetryAfter != 10*time.Second {
		t.Errorf("the new interval is %s", e.RetryAfter)
	}
	tokens, err := poll()
	if err != nil || tokens.RefreshToken.Reveal() != newRefresh {
		t.Errorf("no pair: %v", err)
	}
	want := url.Values{"client_id": {clientID}, "device_code": {deviceCode}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}}.Encode()
	for _, form := range forms {
		if form != want {
			t.Error("a poll has other fields than client_id, device_code and grant_type")
		}
	}
	_, err = c.PollDevice(t.Context(), w.app(), credential.DeviceCode{})
	wantError(t, err, Misconfigured, InvalidRequest, false)
}
