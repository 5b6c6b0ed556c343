package suite

import (
	"regexp"
	"strings"
)

var (
	// Tokens is how GitHub's tokens look, the long ones with dots and dashes included.
	Tokens = regexp.MustCompile(`gh[ruops]_[A-Za-z0-9._-]{30,}`)
	// EncodedTokens is how they look in base64.
	EncodedTokens = regexp.MustCompile(`Z2h[1yvzw]X[A-Za-z0-9+/]{40}`)
)

// FindTokens lists what looks like a token in a text: as it stands, and without what may be the end of a sentence.
func FindTokens(text []byte) []string {
	var found []string
	for _, match := range Tokens.FindAll(text, -1) {
		whole := string(match)
		found = append(found, whole)
		for bare := whole; strings.ContainsAny(bare[len(bare)-1:], "._-"); { // A long token may end with some of them.
			bare = bare[:len(bare)-1]
			found = append(found, bare)
		}
	}
	return found
}
