package webhook

import (
	"crypto/hmac"
	"crypto/sha1" // GitHub's older signature, which must be refused
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	secret  = "webhookSECRET"
	revoked = `{"action":"revoked","sender":{"login":"octocat","id":583231,"type":"User"}}`
)

func sign(newHash func() hash.Hash, key, body string) string {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

// calls collects what the callback got.
type calls []string

func newTestHandler(t testing.TB, got *calls) http.Handler {
	t.Helper()
	h, err := NewHandler(credential.NewRaw([]byte(secret)), func(login string, id int64) bool {
		if id <= 0 {
			t.Errorf("called with ID %d", id)
		}
		*got = append(*got, login)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func deliver(h http.Handler, method, contentType, event, signature, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "/", strings.NewReader(body))
	for name, value := range map[string]string{"Content-Type": contentType, "X-GitHub-Event": event, "X-Hub-Signature-256": signature} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder
}

func TestReceiverDeliveries(t *testing.T) {
	const asJSON = "application/json"
	good := "sha256=" + sign(sha256.New, secret, revoked)
	form := "payload=" + url.QueryEscape(revoked)
	signed := func(body string) string { return "sha256=" + sign(sha256.New, secret, body) }
	other := `{"action":"granted","sender":{"login":"octocat","id":583231}}`
	nobody := `{"action":"revoked"}`
	large := `{"action":"` + strings.Repeat("x", maxBody) + `"}`

	cases := []struct {
		name                                        string
		method, contentType, event, signature, body string
		status                                      int
		called                                      bool
	}{
		{"a person revoked", "POST", asJSON, event, good, revoked, 204, true},
		{"a person revoked, with a charset", "POST", asJSON + "; charset=utf-8", event, good, revoked, 204, true},
		{"a person revoked, as a form", "POST", "application/x-www-form-urlencoded", event, signed(form), form, 204, true},
		{"another action", "POST", asJSON, event, signed(other), other, 204, false},
		{"another event", "POST", asJSON, "installation", good, revoked, 204, false},
		{"ping", "POST", asJSON, "ping", signed(`{"zen":"x"}`), `{"zen":"x"}`, 204, false},
		{"nobody", "POST", asJSON, event, signed(nobody), nobody, 204, false},
		{"not JSON, but signed", "POST", asJSON, event, signed("x"), "x", 400, false},
		{"no signature", "POST", asJSON, event, "", revoked, 401, false},
		{"empty signature", "POST", asJSON, event, "sha256=", revoked, 401, false},
		{"signed with another secret", "POST", asJSON, event, "sha256=" + sign(sha256.New, "other", revoked), revoked, 401, false},
		{"signed with no secret", "POST", asJSON, event, "sha256=" + sign(sha256.New, "", revoked), revoked, 401, false},
		{"signature of another body", "POST", asJSON, event, good, revoked + " ", 401, false},
		{"signature cut", "POST", asJSON, event, good[:len(good)-2], revoked, 401, false},
		{"signature not hex", "POST", asJSON, event, "sha256=zz", revoked, 401, false},
		{"SHA-1 under the new header", "POST", asJSON, event, "sha1=" + sign(sha1.New, secret, revoked), revoked, 401, false},
		{"GET", "GET", asJSON, event, good, revoked, 405, false},
		{"PUT", "PUT", asJSON, event, good, revoked, 405, false},
		{"no content type", "POST", "", event, good, revoked, 401, false},
		{"another content type", "POST", "text/plain", event, good, revoked, 401, false},
		{"too large", "POST", asJSON, event, signed(large), large, 413, false},
		{"another event, too large to be read", "POST", asJSON, "push", signed(large), large, 204, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var got calls
			recorder := deliver(newTestHandler(t, &got), tc.method, tc.contentType, tc.event, tc.signature, tc.body)
			if recorder.Code != tc.status || (len(got) == 1) != tc.called {
				t.Errorf("status %d, called %d times; want %d, called %t", recorder.Code, len(got), tc.status, tc.called)
			}
			if recorder.Body.Len() != 0 {
				t.Error("the answer has a body")
			}
		})
	}
	t.Run("SHA-1 under its own header", func(t *testing.T) {
		var got calls
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(revoked))
		request.Header.Set("Content-Type", asJSON)
		request.Header.Set("X-GitHub-Event", event)
		request.Header.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, revoked))
		recorder := httptest.NewRecorder()
		newTestHandler(t, &got).ServeHTTP(recorder, request)
		if recorder.Code != 401 || len(got) != 0 {
			t.Errorf("status %d, called %d times", recorder.Code, len(got))
		}
	})
}

func TestReceiverWithoutSecretIsRefused(t *testing.T) {
	if _, err := NewHandler(credential.Raw{}, func(string, int64) bool { return true }); err == nil {
		t.Error("a webhook that anybody can call")
	}
}

func TestReceiverStandInsDeliveriesAreUnderstood(t *testing.T) {
	var got calls
	receiver := httptest.NewServer(newTestHandler(t, &got))
	defer receiver.Close()
	gh := githubtest.New(githubtest.Options{Apps: []githubtest.App{{ClientID: "Iv23liX", Secrets: []string{"s"}, WebhookURL: receiver.URL, WebhookSecret: secret}}})
	gh.Mint("Iv23liX", "octocat")
	if !gh.RevokeGrant("Iv23liX", "octocat") {
		t.Fatal("nothing to revoke")
	}
	gh.Close() // waits for deliveries
	if len(got) != 1 || got[0] != "octocat" {
		t.Errorf("called for %v", got)
	}
	if d := gh.Deliveries(); len(d) != 1 || d[0].Status != 204 {
		t.Errorf("deliveries %v", d)
	}
}

func TestReceiverNoticeThatIsNotActedOnIsReportedAsFailed(t *testing.T) {
	h, err := NewHandler(credential.NewRaw([]byte(secret)), func(string, int64) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	recorder := deliver(h, http.MethodPost, "application/json", event, "sha256="+sign(sha256.New, secret, revoked), revoked)
	if recorder.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", recorder.Code)
	}
}

// silent is a body that must not be read.
type silent struct{ t *testing.T }

func (s silent) Read([]byte) (int, error) {
	s.t.Error("the body is read")
	return 0, io.EOF
}

func TestReceiverDeliveryThatIsRefusedByItsHeadersIsNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		event, signature string
		length           int64
		status           int
	}{
		"too large":                       {event, "sha256=00", maxBody + 1, http.StatusRequestEntityTooLarge},
		"another event that is too large": {"push", "sha256=00", maxBody + 1, http.StatusNoContent},
		"unsigned":                        {event, "", 100, http.StatusUnauthorized},
		"an older signature":              {event, "sha1=00", 100, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			var got calls
			request := httptest.NewRequest(http.MethodPost, "/", silent{t})
			request.ContentLength = c.length
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("X-GitHub-Event", c.event)
			request.Header.Set("X-Hub-Signature-256", c.signature)
			recorder := httptest.NewRecorder()
			newTestHandler(t, &got).ServeHTTP(recorder, request)
			if recorder.Code != c.status || len(got) != 0 {
				t.Errorf("status %d, called %d times", recorder.Code, len(got))
			}
		})
	}
}

// Nothing that an attacker can send makes the receiver panic, answer with a body, or call back without a
// valid signature.
func FuzzWebhook(f *testing.F) {
	f.Add("application/json", event, "sha256="+sign(sha256.New, secret, revoked), revoked, true)
	f.Add("application/json", event, "sha256=00", revoked, false)
	f.Add("application/x-www-form-urlencoded", event, "", "payload="+url.QueryEscape(revoked), true)
	f.Add("application/json", "ping", "", "{}", true)
	f.Add("application/json; charset=\"", "", "sha1=00", "[", true)
	f.Add("application/json", event, "", `{"action":"revoked","sender":{"id":-1}}`, true)
	f.Fuzz(func(t *testing.T, contentType, kind, signature, body string, signIt bool) {
		want := "sha256=" + sign(sha256.New, secret, body)
		if signIt {
			signature = want
		}
		var got calls
		recorder := deliver(newTestHandler(t, &got), http.MethodPost, contentType, kind, signature, body)
		if recorder.Body.Len() != 0 {
			t.Error("the answer has a body")
		}
		switch recorder.Code {
		case 204, 400:
			if len(body) <= maxBody && !strings.EqualFold(signature, want) {
				t.Errorf("status %d without a valid signature", recorder.Code)
			}
		case 401, 413:
			if len(got) != 0 {
				t.Error("called although refused")
			}
		default:
			t.Errorf("status %d", recorder.Code)
		}
		if len(got) > 1 || len(got) == 1 && kind != event {
			t.Errorf("called %d times for %q", len(got), kind)
		}
	})
}
