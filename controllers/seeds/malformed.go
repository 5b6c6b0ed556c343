package seeds

import (
	"fmt"
	"strings"
)

// otherTokens are the prefixes of GitHub's tokens that are not refresh tokens. Unknown prefixes are let
// through: GitHub may choose new ones.
var otherTokens = []struct{ prefix, kind string }{
	{"ghp_", "a personal access token"},
	{"github_pat_", "a personal access token"},
	{"gho_", "an OAuth access token"},
	{"ghu_", "a user access token"},
	{"ghs_", "an installation access token"},
}

// maxToken is the length in bytes beyond which a text is no token.
const maxToken = 1024

// malformed tells a person why a text cannot be a refresh token; empty when it can.
func malformed(text string) string {
	for _, other := range otherTokens {
		if strings.HasPrefix(text, other.prefix) {
			return "it starts with " + other.prefix + ", so it is " + other.kind
		}
	}
	if len(text) > maxToken {
		return fmt.Sprintf("it is longer than %d characters", maxToken)
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return "it has a blank or another character that no token has"
		}
	}
	return ""
}
