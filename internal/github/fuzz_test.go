package github

import (
	"errors"
	"fmt"
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
