package plaintext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxClaim is how much of a claim is shown, in characters.
const maxClaim = 200

// Line is what is shown of a text that a tenant has written: one line of what can be seen, cut where it is too long. Characters that
// show nothing, or turn the direction of the text around them, would have it look like something else.
func Line(text string) string {
	var shown strings.Builder
	length, blank := 0, false
	for len(text) > 0 {
		char, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case unicode.IsSpace(char):
			blank = length > 0
			continue
		case char == utf8.RuneError || !unicode.IsGraphic(char) || isInvisible(char):
			continue
		}
		if length >= maxClaim {
			return shown.String() + " …"
		}
		if blank {
			shown.WriteByte(' ')
			blank = false
			length++
		}
		shown.WriteRune(char)
		length++
	}
	return shown.String()
}

// isInvisible reports whether a character that counts as graphic shows nothing all the same.
func isInvisible(char rune) bool {
	switch char {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800', '\u034f', '\u17b4', '\u17b5':
		return true
	}
	return unicode.Is(unicode.Variation_Selector, char)
}
