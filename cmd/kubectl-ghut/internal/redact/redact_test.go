package redact

import (
	"strings"
	"testing"
)

func TestRedactTakesOutWhatCouldBeASecret(t *testing.T) {
	for text, want := range map[string]string{
		"the pair in octocat-token works":                          "the pair in octocat-token works",
		strings.Repeat("0a", 16):                                   strings.Repeat("0a", 16),
		"ghu_abcdefgh1234":                                         "[REDACTED]",
		"see https://a:b@example.com/?code=1&x=2":                  "see https://[REDACTED]@example.com/?code=[REDACTED]&x=2",
		"client_secret=x state=y":                                  "client_secret=[REDACTED] state=[REDACTED]",
		"Authorization: Bearer abcdefgh12":                         "Authorization: Bearer [REDACTED]",
		"enter WDJB-MJHT there":                                    "enter [REDACTED] there",
		"0123456789abcdef0123456789abcdef01234567":                 "[REDACTED]",
		"f81d4fae-7dec-11d0-a765-00a0c91e6bf6":                     "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
		"2027-02-03T12:00:00Z":                                     "2027-02-03T12:00:00Z",
		"github.com/githubusertoken/github-user-token-operator:v1": "github.com/githubusertoken/github-user-token-operator:v1",
	} {
		if got := Text(text); got != want {
			t.Errorf("of %q it leaves %q, want %q", text, got, want)
		}
	}
}

func TestRedactDropsWhereSecretsStand(t *testing.T) {
	clean, err := Object(map[string]any{
		"data": map[string]any{"a": "b"}, "env": []any{map[string]any{"value": "b"}}, "ghu_abcdefgh1234": "x",
		"status":   map[string]any{"authorization": map[string]any{"userCode": "b", "loginURL": "https://login.example.com/login/team-a/octocat?ticket=x", "verificationURI": "https://github.com/login/device"}},
		"metadata": map[string]any{"annotations": map[string]any{"mine": "b", "githubusertoken.dev/adopt": "true", "githubusertoken.dev/web-login-requested": "abcdefgh http://127.0.0.1:8976/"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	object := clean.(map[string]any)
	annotations := object["metadata"].(map[string]any)["annotations"].(map[string]any)
	authorization := object["status"].(map[string]any)["authorization"].(map[string]any)
	if object["data"] != Removed || object["env"] != Removed || object["[REDACTED]"] != "x" || authorization["userCode"] != Removed || authorization["loginURL"] != Removed ||
		authorization["verificationURI"] != "https://github.com/login/device" || annotations["mine"] != Removed || annotations["githubusertoken.dev/adopt"] != "true" ||
		annotations["githubusertoken.dev/web-login-requested"] != Removed {
		t.Errorf("it leaves %v", object)
	}
}
