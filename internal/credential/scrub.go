package credential

import (
	"encoding/base64"
	"regexp"
	"strings"
)

var (
	// tokenOfGitHub begins as all tokens of GitHub do. What follows is up to 36 letters and digits, or some 500 of
	// them with dots and dashes, as in a JWT; a cut one is not told from a name otherwise.
	tokenOfGitHub = regexp.MustCompile(`(gh[a-z]|github_pat)_[A-Za-z0-9+/=_.~-]{4,}`)
	// tokenLike are runs of characters that a token, or a part of one in base64, could be.
	tokenLike = regexp.MustCompile(`[A-Za-z0-9+/=_.~-]{20,}`)
	// separator stands between the words of names, hosts, paths and fields.
	separator = regexp.MustCompile(`[/=_.-]+`)
	// word is what these consist of: short, and all in lower case or letters only, with few capitals. Hardly any
	// twenty characters of a token fall apart into such words.
	word = regexp.MustCompile(`^([a-z0-9]{0,19}|[A-Za-z]?[a-z]+([A-Z][a-z]+)*)$`)
)

// longWords are what an API server says and what is as long as a token.
var longWords = map[string]bool{
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	"MutatingAdmissionPolicy": true, "MutatingAdmissionPolicyBinding": true,
}

// Scrub takes out of a text whatever may be a secret, for texts of others who have seen secrets: an admission webhook
// may quote what it was sent, whole or in part. known are secrets that may look like anything; they are taken out
// wherever they stand, as they are and in base64.
func Scrub(text string, known ...string) string {
	for _, secret := range known {
		if secret == "" {
			continue
		}
		for _, form := range []string{
			secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			text = strings.ReplaceAll(text, form, Redacted)
		}
	}
	text = tokenOfGitHub.ReplaceAllString(text, Redacted)
	return tokenLike.ReplaceAllStringFunc(text, func(run string) string {
		if isName(run) {
			return run
		}
		return Redacted
	})
}

// isName reports whether a run consists of words.
func isName(run string) bool {
	for _, part := range separator.Split(run, -1) {
		if !longWords[part] && (len(part) > 19 || !word.MatchString(part)) {
			return false
		}
	}
	return true
}
