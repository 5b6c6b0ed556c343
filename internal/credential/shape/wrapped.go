package shape

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
	"unicode"
)

// What is a token, or may be one, in something that does not belong to it.

// quotes are pairs of quotation marks, as people and word processors write them.
var quotes = [][2]string{{`"`, `"`}, {"'", "'"}, {"`", "`"}, {"“", "”"}, {"„", "“"}, {"‘", "’"}, {"«", "»"}, {`\"`, `\"`}}

func quoted(text string) string {
	for _, mark := range quotes {
		begins, ends := strings.HasPrefix(text, mark[0]), strings.HasSuffix(text, mark[1])
		inner := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, mark[0]), mark[1]))
		if begins && ends && len(text) > len(mark[0]) || (begins || ends) && isKnownToken(inner) {
			return "it stands in quotation marks. Leave them out"
		}
	}
	return ""
}

// headerForm is a header of HTTP, or the value of one.
var headerForm = regexp.MustCompile(`(?i)^(authorization\s*:.*|(bearer|token|basic)\s+\S+)$`)

func header(text string) string {
	if headerForm.MatchString(text) {
		return "it looks like an HTTP header. Leave out everything but the token"
	}
	return ""
}

var (
	// setting is a line of YAML, of a shell, or of a file of settings.
	setting = regexp.MustCompile(`^(?:-\s+)?(?:(?:export|set)\s+)?(?:\$env:)?["']?[A-Za-z_][A-Za-z0-9_.-]*["']?\s*[:=]\s*["']?(.*)`)
	// settingOfYAML is one in which a blank tells the name from the value.
	settingOfYAML = regexp.MustCompile(`^(?:-\s+)?["']?[A-Za-z_][A-Za-z0-9_.-]*["']?:[ \t\r\n]`)
	// manifest is the beginning of a manifest of Kubernetes.
	manifest = regexp.MustCompile(`(?m)^(---|apiVersion:|kind:)\s`)
)

func assignment(text string) string {
	found := setting.FindStringSubmatch(text)
	switch {
	case manifest.MatchString(text + "\n"):
		return "it looks like a manifest of Kubernetes. Take the token out of it, decoded if it stands under data"
	case found != nil && isKnownToken(found[1]), settingOfYAML.MatchString(text):
		return "it looks like a name with a value, as in YAML or in a file of settings. Take the value alone"
	default:
		return ""
	}
}

// base64Forms are the alphabets of base64, with padding and without.
var base64Forms = []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding}

// maxLayers is how often a text may have been encoded for somebody to find out.
const maxLayers = 3

// encodedAgain recognises base64 by what is in it alone: a token may be base64 of anything.
func encodedAgain(text string) string {
	for range maxLayers {
		text = decoded(text)
		switch {
		case text == "":
			return ""
		case strings.HasPrefix(text, refreshToken):
			return "it is base64 of a refresh token. What stands in a Secret under data is decoded once, and this was encoded once more: encode the token once, or put it under stringData"
		case hasReply(text), isText(text) && knownToken.MatchString(text):
			return "it is base64 of what is no refresh token either. Put the token alone there, encoded once under data, or as it is under stringData"
		}
	}
	return ""
}

// decoded is what is in base64, without the white space around it; empty when it is no base64. Programs break it into
// lines.
func decoded(text string) string {
	text = strings.Join(strings.Fields(text), "")
	for _, form := range base64Forms {
		if plain, err := form.DecodeString(text); err == nil {
			return strings.TrimSpace(string(narrow(plain)))
		}
	}
	return ""
}

// knownToken finds a token of GitHub's in a text.
var knownToken = regexp.MustCompile(`(gh[pousr]|github_pat)_[A-Za-z0-9]`)

// isText reports whether all of it can be printed. What a token would be if it were base64 is hardly ever.
func isText(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c == unicode.ReplacementChar || !unicode.IsPrint(c) && !unicode.IsSpace(c) })
}

// wideText is what Windows PowerShell makes of a redirection into a file.
func wideText(text string) string {
	if len(narrow([]byte(text))) != len(text) {
		return "it is text in UTF-16, as Windows PowerShell writes files. Write it as plain text (Set-Content -NoNewline -Encoding ascii)"
	}
	return ""
}

// narrow is text in UTF-16 that is plain ASCII, as ASCII; any other text as it is.
func narrow(text []byte) []byte {
	bare := bytes.TrimPrefix(bytes.TrimPrefix(text, []byte{0xff, 0xfe}), []byte{0xfe, 0xff})
	nulls := bytes.Count(bare, []byte{0})
	if len(bare) >= 4 && nulls >= len(bare)/2 || len(bare) < len(text) {
		return bytes.ReplaceAll(bare, []byte{0}, nil)
	}
	return text
}

// leftover finds what was copied along from around a token, or written into it by a program that had to write something
// else.
func leftover(text string) string {
	switch {
	case strings.ContainsRune(text, '\x1b'):
		return "it has colours of a terminal in it"
	case strings.ContainsRune(text, '\\'):
		return `it has a backslash. An escape such as \n was stored as it was written`
	case percentEncoded.MatchString(text):
		return "it is percent-encoded, as in an address. Decode it"
	case !strings.HasPrefix(text, refreshToken):
		return ""
	case strings.HasSuffix(text, "%"):
		return "it ends with a percent sign, by which some shells show that a line has no end. Leave it out"
	case strings.ContainsAny(text[len(text)-1:], `,;:)]}>"'`+"`"):
		return "it ends with a punctuation mark that does not belong to it. Leave it out"
	default:
		return ""
	}
}

var percentEncoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func cutOff(text string) string {
	switch {
	case strings.HasSuffix(text, "...") || strings.Contains(text, "…"):
		return "it was shortened. Put the whole token there"
	case strings.HasPrefix(text, refreshToken) && strings.ContainsRune(text, '*'):
		return "a part of it is hidden behind asterisks, as in a log. Put the whole token there"
	default:
		return ""
	}
}

// repeated recognises a second token, or the prefix once more, right behind the prefix or behind the letters and digits that follow
// it. A token that goes on with an underscore, as those with the ID of an App, does so behind something else.
func repeated(text string) string {
	rest, isToken := strings.CutPrefix(text, refreshToken)
	first, _, cut := strings.Cut(rest, "_")
	if !isToken || !cut || strings.ContainsFunc(first, func(c rune) bool { return !isLetterOrDigit(c) }) {
		return ""
	}
	for _, prefix := range knownPrefixes {
		switch before, found := strings.CutSuffix(first, prefix); {
		case found && before == "":
			return "it begins with the prefix of a token twice. Leave one out"
		case found:
			return "it looks like two tokens without anything between them. Put one refresh token alone there"
		}
	}
	return ""
}

// knownPrefixes are how tokens of GitHub begin, in front of the underscore.
var knownPrefixes = []string{"ghr", "ghu", "gho", "ghp", "ghs"}

// capitals recognises the prefix in other letters than GitHub writes: something has changed the case of the whole text.
func capitals(text string) string {
	if n := len(refreshToken); len(text) >= n && !strings.HasPrefix(text, refreshToken) && strings.EqualFold(text[:n], refreshToken) {
		return "it begins with " + refreshToken + " in capitals, so something has changed the letters. Put the token there as GitHub gave it out"
	}
	return ""
}
