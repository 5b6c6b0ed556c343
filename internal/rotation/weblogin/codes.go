package weblogin

import (
	"slices"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// MaxCodes is how many codes are remembered. An attempt sends one, and attempts follow one another at a pace: within Lifetime there
// are fewer, and GitHub takes no code that is older.
const MaxCodes = 72

// Codes names the last codes that were sent, or may have been, the newest last: none of them is sent again. They are apart from the
// tokens of logins, of which they would push out what has no end. Anybody may have written them.
type Codes []credential.Fingerprint

// With is a copy with further codes at its end. The oldest go when there are too many.
func (c Codes) With(codes ...credential.Fingerprint) Codes {
	longer := slices.Clone(c)
	for _, code := range codes {
		if code != "" && !slices.Contains(longer, code) {
			longer = append(longer, code)
		}
	}
	return longer[max(0, len(longer)-MaxCodes):]
}

// Has reports whether a code is one of them.
func (c Codes) Has(code credential.Fingerprint) bool { return code != "" && slices.Contains(c, code) }
