package redact

import (
	"regexp"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Removed stands where something was taken out because of its place.
const Removed = "[REMOVED]"

var (
	// fingerprint is how the operator names a token: half a SHA-256. No token and no client secret of GitHub looks so.
	fingerprint = regexp.MustCompile(`^[0-9a-f]{32}$`)
	// parameter is a value in a URL or a form that may be a secret however it looks.
	parameter = regexp.MustCompile(`(?i)\b(code|state|code_verifier|device_code|user_code|client_secret|access_token|refresh_token|token|password|secret)=[^&\s"']+`)
	// userinfo is a user name and a password in a URL.
	userinfo = regexp.MustCompile(`://[^/\s@"']+@`)
	// bearer is a header with a token.
	bearer = regexp.MustCompile(`(?i)\b(bearer|basic|token) +[A-Za-z0-9+/=_.~-]{8,}`)
	// enteredCode is how GitHub writes the code that a person enters.
	enteredCode = regexp.MustCompile(`\b[A-Z0-9]{4}-[A-Z0-9]{4}\b`)
)

// Text takes out of a text whatever may be a secret.
func Text(text string) string {
	if fingerprint.MatchString(text) {
		return text
	}
	text = parameter.ReplaceAllString(text, "$1="+credential.Redacted)
	text = userinfo.ReplaceAllString(text, "://"+credential.Redacted+"@")
	text = bearer.ReplaceAllString(text, "$1 "+credential.Redacted)
	text = enteredCode.ReplaceAllString(text, credential.Redacted)
	return credential.Scrub(text)
}

// Lines is Text of each line.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = Text(lines[i])
	}
	return strings.Join(lines, "\n")
}
