package github

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

var sentAt = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func replyOf(status int, contentType, body string) *Reply {
	return &Reply{Host: "github.com", SentAt: sentAt, Status: status, ContentType: contentType, Body: credential.NewRaw([]byte(body))}
}

func TestReplyPairIsUnderstoodInEveryForm(t *testing.T) {
	numbers := strings.NewReplacer("28800", `"28800"`, "15897600", `"15897600"`).Replace(pairAsJSON)
	cases := map[string]*Reply{
		"JSON":                          replyOf(200, "application/json; charset=utf-8", pairAsJSON),
		"JSON with strings for numbers": replyOf(200, "application/json", numbers),
		"JSON with floats":              replyOf(200, "application/json", strings.Replace(pairAsJSON, "28800", "2.88e4", 1)),
		"JSON with unknown fields":      replyOf(200, "application/json", `{"new":{"a":[1,{"access_token":"no"}]},"n":null,"b":true,`+pairAsJSON[1:]),
		"JSON with a byte order mark":   replyOf(200, "application/json", "\ufeff\n "+pairAsJSON),
		"JSON labelled as a form":       replyOf(200, "application/x-www-form-urlencoded", pairAsJSON),
		"JSON labelled as HTML":         replyOf(200, "text/html", pairAsJSON),
		"JSON with a status of 500":     replyOf(500, "application/json", pairAsJSON),
		"JSON with an error beside it":  replyOf(200, "application/json", `{"error":"bad_refresh_token",`+pairAsJSON[1:]),
		"form":                          replyOf(200, "application/x-www-form-urlencoded", pairAsForm),
		"form labelled as JSON":         replyOf(200, "application/json", pairAsForm),
		"form without a label":          replyOf(200, "", pairAsForm+"\n"),
		"form, percent-encoded":         replyOf(200, "", strings.ReplaceAll(pairAsForm, "_NEW", "%5fNEW")),
		"XML":                           replyOf(200, "application/xml", pairAsXML),
		"XML labelled as JSON":          replyOf(200, "application/json", pairAsXML),
	}
	for name, reply := range cases {
		t.Run(name, func(t *testing.T) {
			tokens, err := reply.Tokens()
			if err != nil {
				t.Fatal(err)
			}
			want := Tokens{
				AccessToken: credential.NewAccessToken(newAccess), RefreshToken: credential.NewRefreshToken(newRefresh), TokenType: "bearer",
				ExpiresAt: sentAt.Add(8 * time.Hour), RefreshTokenExpiresAt: sentAt.Add(184 * 24 * time.Hour),
			}
			if tokens != want {
				t.Errorf("got tokens %t %t, type %q, %s, %s", tokens.AccessToken == want.AccessToken, tokens.RefreshToken == want.RefreshToken,
					tokens.TokenType, tokens.ExpiresAt, tokens.RefreshTokenExpiresAt)
			}
		})
	}
}

func TestReplyPairIsSavedFromACutReply(t *testing.T) {
	for form, body := range map[string]string{"JSON": pairAsJSON, "form": pairAsForm, "XML": pairAsXML} {
		t.Run(form, func(t *testing.T) {
			accessEnd := strings.Index(body, newAccess) + len(newAccess)
			refreshEnd := strings.Index(body, newRefresh) + len(newRefresh)
			terminator := map[string]int{"JSON": 1, "form": 1, "XML": len("</refresh_token>")}[form]
			for n := range len(body) {
				reply := replyOf(200, "", body[:n])
				reply.Truncated = true
				tokens, err := reply.Tokens()
				switch {
				case n >= refreshEnd+terminator:
					if err != nil || tokens.Half || tokens.AccessToken.Reveal() != newAccess || tokens.RefreshToken.Reveal() != newRefresh {
						t.Errorf("cut at %d: both tokens are complete, but: %v", n, err)
					}
					if tokens.ExpiresAt.Sub(sentAt) != 8*time.Hour {
						t.Errorf("cut at %d: lifetime is %s", n, tokens.ExpiresAt.Sub(sentAt))
					}
				default:
					wantError(t, err, Ambiguous, ReplyCut, true)
					if tokens.Half == tokens.AccessToken.IsZero() {
						t.Errorf("cut at %d: half of a pair: %t", n, tokens.Half)
					}
					if !tokens.RefreshToken.IsZero() {
						t.Errorf("cut at %d: half a refresh token passes for a whole one", n)
					}
					if !tokens.AccessToken.IsZero() && tokens.AccessToken.Reveal() != newAccess {
						t.Errorf("cut at %d: half an access token passes for a whole one", n)
					}
					if n > accessEnd+len("</access_token>") && tokens.AccessToken.IsZero() {
						t.Errorf("cut at %d: the access token was complete", n)
					}
				}
			}
		})
	}
}

func TestReplyNumberCutShortIsNotBelieved(t *testing.T) {
	reply := replyOf(200, "", `{"access_token":"`+newAccess+`","refresh_token":"`+newRefresh+`","expires_in":28`)
	tokens, err := reply.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	if got := tokens.ExpiresAt.Sub(sentAt); got != 8*time.Hour {
		t.Errorf("the lifetime is %s, want the documented one", got)
	}
}

func TestReplyLifetimes(t *testing.T) {
	cases := []struct {
		name            string
		body            string
		access, refresh time.Duration // 0: none
	}{
		{"expiry switched off", `{"access_token":"ghu_x","token_type":"bearer","scope":""}`, 0, 0},
		{"as sent", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":30,"refresh_token_expires_in":90}`, 30 * time.Second, 90 * time.Second},
		{"negative with a refresh token", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":-1,"refresh_token_expires_in":-1}`, 8 * time.Hour, 0},
		{"zero with a refresh token", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":0}`, 8 * time.Hour, 0},
		{"missing with a refresh token", `{"access_token":"ghu_x","refresh_token":"ghr_x"}`, 8 * time.Hour, 0},
		{"null", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":null}`, 8 * time.Hour, 0},
		{"words", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":"soon"}`, 8 * time.Hour, 0},
		{"not a number", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":"NaN"}`, 8 * time.Hour, 0},
		{"zero without a refresh token", `{"access_token":"ghu_x","expires_in":0}`, 0, 0},
		{"expiring without a refresh token", `{"access_token":"ghu_x","expires_in":600}`, 10 * time.Minute, 0},
		{"absurdly long", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":1e300,"refresh_token_expires_in":"99999999999999999999"}`, maxLifetime, maxLifetime},
		{"infinite", `{"access_token":"ghu_x","refresh_token":"ghr_x","expires_in":"Inf"}`, maxLifetime, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tokens, err := replyOf(200, "application/json", tc.body).Tokens()
			if err != nil {
				t.Fatal(err)
			}
			for which, c := range map[string]struct {
				got  time.Time
				want time.Duration
			}{"access": {tokens.ExpiresAt, tc.access}, "refresh": {tokens.RefreshTokenExpiresAt, tc.refresh}} {
				if c.want == 0 && !c.got.IsZero() || c.want != 0 && !c.got.Equal(sentAt.Add(c.want)) {
					t.Errorf("%s token expires at %s, want %s after sending", which, c.got, c.want)
				}
			}
		})
	}
}

func TestReplyTokensOfOtherKindsPass(t *testing.T) {
	tokens, err := replyOf(200, "", `{"access_token":"gho_x","refresh_token":"future-prefix.~x","expires_in":60,"scope":"repo,gist","token_type":"DPoP"}`).Tokens()
	if err != nil {
		t.Fatal(err)
	}
	if tokens.Scope != "repo,gist" || tokens.TokenType != "DPoP" || tokens.RefreshToken.Reveal() != "future-prefix.~x" {
		t.Errorf("scope %q, type %q", tokens.Scope, tokens.TokenType)
	}
}

func TestReplyEveryFailureIsClassified(t *testing.T) {
	oauth := func(code string) string {
		return `{"error":"` + code + `","error_description":"The ` + newRefresh + ` …","error_uri":"/apps/x"}`
	}
	type row struct {
		name   string
		status int
		body   string
		class  Class
		reason Reason
	}
	var rows []row
	expected := map[string]struct {
		class  Class
		reason Reason
	}{
		"bad_refresh_token":            {Rejected, RefreshTokenRejected},
		"invalid_grant":                {Rejected, RefreshTokenRejected},
		"bad_verification_code":        {Rejected, CodeRejected},
		"redirect_uri_mismatch":        {Misconfigured, RedirectMismatch},
		"incorrect_client_credentials": {Misconfigured, IncorrectClientCredentials},
		"invalid_client":               {Misconfigured, IncorrectClientCredentials},
		"unverified_user_email":        {Misconfigured, UnverifiedEmail},
		"access_denied":                {Misconfigured, AccessDenied},
		"application_suspended":        {Misconfigured, ApplicationSuspended},
		"unsupported_grant_type":       {Misconfigured, UnsupportedGrantType},
		"unauthorized_client":          {Misconfigured, UnauthorizedClient},
		"invalid_request":              {Misconfigured, InvalidRequest},
		"device_flow_disabled":         {Misconfigured, DeviceFlowDisabled},
		"invalid_scope":                {Misconfigured, InvalidScope},
		"authorization_pending":        {Transient, AuthorizationPending},
		"slow_down":                    {Transient, SlowDown},
		"expired_token":                {Rejected, ExpiredCode},
		"incorrect_device_code":        {Rejected, IncorrectDeviceCode},
		"Not Found":                    {Misconfigured, UnknownClient},
		"Server Error":                 {Ambiguous, ServerError},
		"server_error":                 {Ambiguous, ServerError},
		"temporarily_unavailable":      {Ambiguous, ServerError},
		"token_expired":                {Rejected, ExpiredCode},
	}
	if len(expected) != len(codes) {
		t.Errorf("the table has %d error codes, and the client knows %d", len(expected), len(codes))
	}
	for code, want := range expected {
		for _, status := range []int{200, 400, 401, 403, 404, 422, 429, 500, 503} {
			rows = append(rows, row{code + " as JSON", status, oauth(code), want.class, want.reason})
		}
		rows = append(rows,
			row{code + " as a form", 200, "error=" + strings.ReplaceAll(code, " ", "+") + "&error_description=The+token", want.class, want.reason},
			row{code + " as XML", 200, "<OAuth><error>" + code + "</error></OAuth>", want.class, want.reason})
	}
	rows = append(rows,
		row{"a code of the future", 200, oauth("sso_session_required"), Transient, UnknownError},
		row{"a code of the future", 400, oauth("sso_session_required"), Transient, UnknownError},
		row{"a code of the future with a server error", 500, oauth("sso_session_required"), Ambiguous, ServerError},
		row{"some server's text in error", 200, `{"error":"Bad Gateway"}`, Ambiguous, UnreadableReply},
		row{"error is an object", 200, `{"error":{"code":"bad_refresh_token"}}`, Ambiguous, UnreadableReply},
		row{"nothing found", 404, `{"error":"Not Found"}`, Misconfigured, UnknownClient},
		row{"nothing found, as a page", 404, htmlPage, Misconfigured, UnknownClient},
		row{"too many requests", 429, htmlPage, Transient, RateLimited},
		row{"too many requests", 429, "", Transient, RateLimited},
		row{"secondary rate limit", 403, `{"message":"You have exceeded a secondary rate limit."}`, Transient, RateLimited},
		row{"abuse detection", 403, `{"message":"You have triggered an abuse detection mechanism."}`, Transient, RateLimited},
		row{"forbidden by something else", 403, htmlPage, Transient, Forbidden},
		row{"the account is suspended", 403, `{"message":"Sorry. Your account was suspended."}`, Misconfigured, AccountSuspended},
		row{"an IP allow list", 403, `{"message":"the octo-org organization has an IP allow list enabled, and your IP address is not permitted"}`, Transient, AddressNotPermitted},
		row{"internal error", 500, htmlPage, Ambiguous, ServerError},
		row{"bad gateway", 502, "Server Error", Ambiguous, ServerError},
		row{"maintenance of an Enterprise Server", 503, htmlPage, Ambiguous, ServerError},
		row{"gateway timeout", 504, "", Ambiguous, ServerError},
		row{"redirect", 302, htmlPage, Misconfigured, Redirected},
		row{"not modified", 304, "", Misconfigured, Redirected},
		row{"empty", 200, "", Ambiguous, UnreadableReply},
		row{"no content", 204, "", Ambiguous, UnreadableReply},
		row{"page", 200, htmlPage, Ambiguous, UnreadableReply},
		row{"plain text", 200, "Server Error", Ambiguous, UnreadableReply},
		row{"JSON of something else", 200, `{"status":"ok"}`, Ambiguous, UnreadableReply},
		row{"JSON array", 200, `[` + pairAsJSON + `]`, Ambiguous, UnreadableReply},
		row{"access token empty", 200, `{"access_token":"","refresh_token":"` + newRefresh + `"}`, Ambiguous, UnreadableReply},
		row{"access token a number", 200, `{"access_token":12345}`, Ambiguous, UnreadableReply},
		row{"access token with a line break", 200, `{"access_token":"ghu_\nx"}`, Ambiguous, UnreadableReply},
		row{"cut before the first token", 200, `{"access_token":"ghu_`, Ambiguous, ReplyCut},
		row{"unauthorized by a proxy", 401, htmlPage, Ambiguous, UnreadableReply},
	)
	for _, tc := range rows {
		_, err := replyOf(tc.status, "application/json", tc.body).Tokens()
		e := asError(t, err)
		if e.Class != tc.class || e.Reason != tc.reason || !e.Sent || e.Status != tc.status {
			t.Errorf("%s at %d: got %s %s status %d sent=%t, want %s %s", tc.name, tc.status, e.Class, e.Reason, e.Status, e.Sent, tc.class, tc.reason)
		}
	}
}

func TestReplySlowDownTellsTheNewInterval(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`{"error":"slow_down","interval":10}`:     10 * time.Second,
		`{"error":"slow_down","interval":"15"}`:   15 * time.Second,
		`{"error":"slow_down"}`:                   0,
		`{"error":"slow_down","interval":999999}`: time.Minute,
	} {
		_, err := replyOf(200, "application/json", body).Tokens()
		if e := wantError(t, err, Transient, SlowDown, true); e.RetryAfter != want {
			t.Errorf("%s: got %s, want %s", body, e.RetryAfter, want)
		}
	}
}

func TestReplyRateLimitHeaders(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name    string
		header  map[string]string
		wait    time.Duration
		limited bool
	}{
		{"none", nil, 0, false},
		{"seconds", map[string]string{"Retry-After": "60"}, time.Minute, true},
		{"a date", map[string]string{"Retry-After": "Mon, 04 May 2026 12:02:00 GMT"}, 2 * time.Minute, true},
		{"a date in the past", map[string]string{"Retry-After": "Mon, 04 May 2026 11:00:00 GMT"}, 0, true},
		{"a date by GitHub's own clock", map[string]string{"Retry-After": "Mon, 04 May 2026 20:02:00 GMT", "Date": "Mon, 04 May 2026 20:00:00 GMT"}, 2 * time.Minute, true},
		{"used up", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777896600"}, 10 * time.Minute, true},
		{"used up, by GitHub's own clock", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777896600", "Date": "Mon, 04 May 2026 12:05:00 GMT"}, 5 * time.Minute, true},
		{"used up, no reset", map[string]string{"X-RateLimit-Remaining": "0"}, 0, true},
		{"not used up", map[string]string{"X-RateLimit-Remaining": "10", "X-RateLimit-Reset": "1777896600"}, 0, false},
		{"Retry-After comes first", map[string]string{"Retry-After": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1777896600"}, 5 * time.Second, true},
		{"nonsense", map[string]string{"Retry-After": "soon"}, 0, false},
		{"negative", map[string]string{"Retry-After": "-5"}, 0, false},
		{"absurd", map[string]string{"Retry-After": "18446744073709551615"}, 24 * time.Hour, true},
		{"a reset in a thousand years", map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9223372036854775807"}, 24 * time.Hour, true},
	}
	for _, tc := range cases {
		header := http.Header{}
		for name, value := range tc.header {
			header.Set(name, value)
		}
		wait, limited := rateLimit(header, now)
		if tc.name == "a reset in a thousand years" {
			if wait < 0 || wait > maxRetryAfter || !limited {
				t.Errorf("%s: %s", tc.name, wait)
			}
			continue
		}
		if wait != tc.wait || limited != tc.limited {
			t.Errorf("%s: got %s %t, want %s %t", tc.name, wait, limited, tc.wait, tc.limited)
		}
	}
}

func TestReplyA403WithHeadersIsARateLimitAndA503IsNone(t *testing.T) {
	for status, want := range map[int]struct {
		class   Class
		reason  Reason
		limited bool
	}{403: {Transient, RateLimited, true}, 503: {Ambiguous, ServerError, false}} {
		w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "37")
			rw.WriteHeader(status)
		})
		reply, err := w.client(t).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
		if err != nil {
			t.Fatal(err)
		}
		_, err = reply.Tokens()
		if e := wantError(t, err, want.class, want.reason, true); e.RetryAfter != 37*time.Second || reply.RateLimited != want.limited {
			t.Errorf("%d: RetryAfter is %s, rate limited: %t", status, e.RetryAfter, reply.RateLimited)
		}
	}
}

func TestReplyEveryReasonHasAClassAndWords(t *testing.T) {
	for reason, m := range meanings {
		if m.class < Transient || m.class > Rejected || len(m.words) < 20 {
			t.Errorf("%s: class %s, words %q", reason, m.class, m.words)
		}
	}
	for _, reason := range codes {
		if _, ok := meanings[reason]; !ok {
			t.Errorf("no meaning for %s", reason)
		}
	}
}
