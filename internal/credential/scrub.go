package credential

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// tokenLike are runs of characters that a token, or a part of one in base64, could be.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9+/=_]{20,}`)

// words are what an API server says and what is as long as a token.
var words = map[string]bool{
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	"MutatingAdmissionPolicy": true, "MutatingAdmissionPolicyBinding": true,
}

// path is one of an API server's addresses: no token and hardly any base64 is made of such short words in lower case.
var path = regexp.MustCompile(`^[a-z0-9]{0,19}(/[a-z0-9]{0,19})+$`)

// Scrub takes out of a text whatever may be a secret, for texts of others who have seen secrets: an admission webhook
// may quote what it was sent, whole or in part. known are secrets that may look like anything; they are taken out
// wherever they stand, as they are and in base64.
func Scrub(text string, known ...string) string {
	for _, secret := range known {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			text = strings.ReplaceAll(text, form, Redacted)
		}
	}
	return tokenLike.ReplaceAllStringFunc(text, func(run string) string {
		if words[run] || path.MatchString(run) {
			return run
		}
		return Redacted
	})
}
