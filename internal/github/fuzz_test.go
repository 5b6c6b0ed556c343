package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Whatever a server sends: no panic, no tokens beside an error (but the one that ReplyCut may save), no
// lifetime that makes no sense, and no text of the reply in an error.
func FuzzTokenReply(f *testing.F) {
	for _, body := range []string{
		pairAsJSON, pairAsForm, pairAsXML, pairAsJSON[:120], pairAsForm[:100], pairAsXML[:200], htmlPage, "", "{", "null", "[]", `"x"`, "\ufeff{}",
		`{"error":"bad_refresh_token","error_description":"x"}`, "error=bad_refresh_token&error_uri=%2f", "<OAuth><error>access_denied</error></OAuth>",
		`{"error":"slow_down","interval":"10"}`, `{"error":"Not Found"}`, `{"error":{"error":"bad_refresh_token"}}`, `{"error":"future_code"}`,
		`{"access_token":"ghu_x","expires_in":-1}`, `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":1e999}`, `{"access_token":["x"]}`,
		`{"access_token":"ghu_x","access_token":"ghu_y","refresh_token":"\u0000"}`, "access_token=%zz&refresh_token=;", "<a><b><access_token>x</access_token></b></a>",
		`{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://github.com/login/device","expires_in":900,"interval":5}`,
		"<!DOCTYPE x [<!ENTITY a \"b\">]><OAuth><access_token>&a;</access_token></OAuth>", `{"message":"You have exceeded a secondary rate limit"}`,
	} {
		f.Add(200, "application/json", body, false)
		f.Add(403, "text/html", body, true)
		f.Add(502, "", body, false)
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body string, truncated bool) {
		reply := replyOf(status, contentType, body)
		reply.Truncated = truncated
		tokens, err := reply.Tokens()
		again, _ := reply.Tokens()
		if tokens != again {
			t.Error("the same reply means two things")
		}
		if err == nil {
			if tokens.AccessToken.IsZero() || tokens.TokenType == "" {
				t.Error("a success without an access token")
			}
			if !tokens.RefreshToken.IsZero() && tokens.ExpiresAt.IsZero() {
				t.Error("a pair that would never be refreshed")
			}
			for _, token := range []string{tokens.AccessToken.Reveal(), tokens.RefreshToken.Reveal()} {
				if strings.ContainsAny(token, "\r\n\x00") {
					t.Error("a token with control characters")
				}
			}
		}
		for _, expiry := range []time.Time{tokens.ExpiresAt, tokens.RefreshTokenExpiresAt} {
			if !expiry.IsZero() && (!expiry.After(sentAt) || expiry.After(sentAt.Add(maxLifetime))) {
				t.Errorf("expiry %s after sending", expiry.Sub(sentAt))
			}
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Class < Transient || e.Class > Rejected || !e.Sent || e.RetryAfter < 0 {
				t.Fatalf("a strange error: %v", err)
			}
			if e.Reason != ReplyCut && tokens != (Tokens{}) || !tokens.RefreshToken.IsZero() {
				t.Errorf("tokens beside %s", e.Reason)
			}
			if f, _ := parseFields(body, truncated); e.Class == Rejected && f.text("error") == "" {
				t.Error("a token is condemned by a reply without an error")
			}
			if want := fmt.Sprintf("github.com: %s", meanings[e.Reason].words); e.Error() != want {
				t.Error("the error has other words than ours")
			}
		}
		if authorization, err := reply.deviceAuthorization(host{"github.com", "443"}); err == nil {
			if authorization.DeviceCode == (credential.DeviceCode{}) || authorization.Interval < time.Second || !authorization.ExpiresAt.After(sentAt) ||
				!strings.HasPrefix(strings.ToLower(authorization.VerificationURI), "https://github.com") {
				t.Error("a strange device authorization")
			}
		}
	})
}

// Whatever a tenant writes as the host: what passes is one host, which a URL names without anything beside
// it, and which means itself when it is read again.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"github.com", "GHES.example.com:8443/api/v3/", "[fd00::1]:8443", "10.0.0.1:443", "acme.ghe.com@evil.com", "github.com\\.evil.com",
		"github.com#.ghe.com", "github.com%2f", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "gıthub.com", "ghe.com:00443", "a:b@c", "*.ghe.com",
	} {
		f.Add(seed)
	}
	client, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, problem := parseHost(text)
		if problem != "" {
			return
		}
		u, err := url.Parse(h.endpoints().OAuth + tokenPath)
		if err != nil || u.Scheme != "https" || u.Host != h.String() || u.User != nil || u.Path != tokenPath || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q passes as %q, which a URL takes for %v (%v)", text, h, u, err)
		}
		if again, problem := parseHost(h.String()); problem != "" || again != h {
			t.Errorf("%q is %q, and that is %q (%s)", text, h, again, problem)
		}
		ours := h.String() == "github.com" || strings.HasSuffix(h.String(), ".ghe.com") && strings.Count(h.String(), ".") == 2
		if client.CheckHost(text) == nil && !ours {
			t.Errorf("%q is allowed as %q", text, h)
		}
	})
}

// Whatever stands in the headers: nobody waits for longer than a day, or for less than nothing.
func FuzzRateLimit(f *testing.F) {
	f.Add("60", "0", "1777896600", "Mon, 04 May 2026 12:00:00 GMT")
	f.Add("Mon, 04 May 2026 12:02:00 GMT", "", "", "")
	f.Add("", "0", "9223372036854775807", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Add("18446744073709551615", "0", "-9223372036854775808", "Thu, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, retryAfter, remaining, reset, date string) {
		header := http.Header{
			"Retry-After": {retryAfter}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}, "Date": {date},
		}
		wait, limited := rateLimit(header, sentAt)
		if wait < 0 || wait > maxRetryAfter || wait > 0 && !limited {
			t.Errorf("wait for %s, limited %t", wait, limited)
		}
	})
}
