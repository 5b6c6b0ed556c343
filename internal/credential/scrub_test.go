package credential

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRedactionNoTokenSurvivesScrub(t *testing.T) {
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
		`metadata.resourceVersion: Invalid value: 0: must be specified for an update`,
		`resource Secret/team-a/octocat-token was blocked due to the following policies: validate.kyverno.svc-fail`,
		`admission webhook "vault-secrets-webhook.example.com" denied the request: spec.template.metadata.annotations is immutable`,
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

// longToken is one of the longer form of GitHub: the number of the App, and a JWT.
func longToken(random *rand.Rand) string {
	part := func(n int) string {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		text := make([]byte, n)
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(text)
	}
	return fmt.Sprintf("ghu_%d_eyJ%s.eyJ%s.%s", random.IntN(1e6), part(33), part(120), part(342))
}

// Whatever part of it is quoted, and whether the token is known or not.
func TestRedactionNoPartOfALongTokenWithDotsAndDashesSurvivesScrub(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		token := longToken(random)
		from := random.IntN(len(token) - 24)
		to := from + 24 + random.IntN(len(token)-from-23)
		for name, text := range map[string]string{
			"whole": token, "part": token[from:to], "base64": base64.StdEncoding.EncodeToString([]byte(token)),
			"in JSON": `{"access_token":"` + token + `"}`, "in a URL": "https://x-access-token:" + token + "@github.com", "start": token[:10],
		} {
			if clean := Scrub("denied: " + text + " is no good"); containsPartOf(clean, token) {
				t.Fatalf("%s: %q shows a part of %q", name, clean, token)
			}
		}
		if clean := Scrub("denied: "+token, token); clean != "denied: "+Redacted {
			t.Fatalf("known: %q", clean)
		}
	}
}

// containsPartOf reports whether eight characters of a token stand in a text.
func containsPartOf(text, token string) bool {
	for i := range len(token) - 8 {
		if strings.Contains(text, token[i:i+8]) {
			return true
		}
	}
	return false
}
