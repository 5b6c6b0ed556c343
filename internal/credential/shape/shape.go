package shape

import (
	"fmt"
	"strings"
	"unicode"
)

const (
	// maxToken is the length in bytes beyond which a text is no token.
	maxToken = 1024
	// maxExamined is the length in bytes beyond which a text is not examined any further: whoever wrote it may be anybody.
	maxExamined = 16 << 10
)

// shape is what a text looks like; each returns what to say of it, and nothing when it does not look so.
type shape func(text string) string

// shapes stand in the order in which they are asked: what surely tells what a text is goes before what tells that
// something is wrong with it.
var shapes = []shape{
	otherToken, wideText, encrypted, key, webPage, xmlReply, placeholder, jsonDocument, quoted, header, formReply, address,
	assignment, encodedAgain, otherSecret, path, cutOff, leftover, repeated, capitals,
}

// shapesOfWords are those of them that a text can have which begins as refresh tokens do today and consists of letters, digits
// and underscores. Nearly every text is one, and at a start those of all resources are looked at.
var shapesOfWords = []shape{filler, repeated}

// NotRefreshToken tells a person why a text cannot be a refresh token: what it looks like, and what to do where that is not
// plain. It is a clause without a full stop, and empty when the text may be one.
func NotRefreshToken(text string) string {
	visible := strings.TrimFunc(text, func(c rune) bool { return unicode.IsSpace(c) || isInvisible(c) })
	if why := otherToken(visible); why != "" {
		return why
	}
	if visible != "" && len(text) <= maxExamined {
		asked := shapes
		if isWord(visible) {
			asked = shapesOfWords
		}
		for _, looksLike := range asked {
			if why := looksLike(visible); why != "" {
				return why
			}
		}
	}
	if strings.ContainsFunc(text, isInvisible) {
		return "it has an invisible character, such as a byte order mark or a zero-width space. Copy the token without it"
	}
	if len(text) > maxToken {
		return fmt.Sprintf("it is longer than %d characters", maxToken)
	}
	if strings.ContainsAny(text, "\r\n") {
		return "it has more than one line"
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return "it has a blank or another character that no token has"
		}
	}
	return ""
}

// otherTokens are the prefixes of GitHub's tokens that are not refresh tokens. Unknown prefixes are let
// through: GitHub may choose new ones.
var otherTokens = []struct{ prefix, kind string }{
	{"ghp_", "a personal access token"},
	{"github_pat_", "a personal access token"},
	{"gho_", "an OAuth access token"},
	{"ghu_", "a user access token"},
	{"ghs_", "an installation access token"},
}

// refreshToken is the prefix that GitHub gives refresh tokens today.
const refreshToken = "ghr_"

func otherToken(text string) string {
	for _, other := range otherTokens {
		if strings.HasPrefix(text, other.prefix) {
			return "it starts with " + other.prefix + ", so it is " + other.kind
		}
	}
	return ""
}

// isKnownToken reports whether a text begins as GitHub's tokens do today, of whatever kind.
func isKnownToken(text string) bool {
	return strings.HasPrefix(text, refreshToken) || otherToken(text) != ""
}

// isWord reports whether a text begins as refresh tokens do today and consists of letters, digits and underscores.
func isWord(text string) bool {
	return strings.HasPrefix(text, refreshToken) && !strings.ContainsFunc(text, func(c rune) bool { return !isLetterOrDigit(c) && c != '_' })
}

func isLetterOrDigit(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isInvisible reports whether people copy a character along without seeing it.
func isInvisible(c rune) bool { return c == '\u00a0' || unicode.Is(unicode.Cf, c) }
