package credential

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestNoTokenSurvivesScrub(t *testing.T) {
	token := "ghr_" + strings.Repeat("aB3", 25)
	for name, text := range map[string]string{
		"plain":              "denied: " + token + " is no good",
		"base64":             "denied: " + base64.StdEncoding.EncodeToString([]byte(token)),
		"cut":                "denied: " + token[:30] + "…",
		"in a path":          "denied: /api/v1/" + token,
		"in a path, lower":   "denied: /api/v1/" + strings.ToLower(token) + "/x",
		"in JSON":            `denied: {"refresh_token":"` + token + `"}`,
		"known and short":    "denied: hunter2!",
		"known and base64":   "denied: " + base64.StdEncoding.EncodeToString([]byte("hunter2!")),
		"known, with spaces": "denied: correct horse",
	} {
		t.Run(name, func(t *testing.T) {
			clean := Scrub(text, "hunter2!", "", "correct horse")
			for _, secret := range []string{token[:20], base64.StdEncoding.EncodeToString([]byte(token))[:20], "hunter2", "aHVudGVyMiE", "horse"} {
				if strings.Contains(strings.ToLower(clean), strings.ToLower(secret)) {
					t.Errorf("%q stands in %q", secret, clean)
				}
			}
			if !strings.Contains(clean, "denied: ") || !strings.Contains(clean, Redacted) {
				t.Errorf("more or less than the secret is gone: %q", clean)
			}
		})
	}
	for _, text := range []string{
		`secrets "octocat-token" is forbidden: ValidatingAdmissionPolicy 'no-secrets' with binding 'b' denied request`,
		`secrets "github-user-token-backup-00000000-0000-4000-8000-000000000000" already exists`,
		`Patch "https://10.0.0.1:443/api/v1/namespaces/team/secrets/octocat-token": dial tcp 10.0.0.1:443: connect: connection refused`,
		`User "system:serviceaccount:github-user-token-system:github-user-token-operator" cannot patch resource "secrets"`,
	} {
		if clean := Scrub(text); clean != text {
			t.Errorf("nothing in it is a secret: %q", clean)
		}
	}
}
