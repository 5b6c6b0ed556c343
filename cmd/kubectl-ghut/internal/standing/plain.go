package standing

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain is what a condition says, without how somebody goes on who has no plugin, by annotations and fields of the status: who
// has it is told commands instead.
func Plain(message string) string {
	var kept []string
	dropped := false
	for _, sentence := range split(message) {
		if dropped { // What began with it goes on without it.
			sentence = strings.TrimPrefix(sentence, "Otherwise: ")
			sentence = strings.TrimPrefix(sentence, "Or: ")
			sentence = capital(strings.TrimPrefix(sentence, "Or "))
		}
		next := plain(sentence)
		if dropped = next == ""; !dropped {
			kept = append(kept, next)
		}
	}
	return strings.Join(kept, " ")
}

// byHand are parts of sentences by which somebody steers the operator without the plugin. A sentence that has one is an instruction.
var byHand = []string{
	"set the annotation githubusertoken.dev/", "see the annotation githubusertoken.dev/", "the annotation githubusertoken.dev/refresh-requested-at is set",
	"the code of status.authorization", "the link of status.authorization", "the page of status.webLogin",
}

// beginnings of half sentences that are such an instruction.
var alsoByHand = []string{"; set the annotation githubusertoken.dev/", ", or as soon as the annotation githubusertoken.dev/"}

// otherWords are for what such an instruction tells as well.
var otherWords = strings.NewReplacer(
	"Open the page of status.webLogin.authorizeURL in a browser and authorize the App before", "A login in a browser has begun, in which the App is to be authorized before",
	"No login was begun for the annotation githubusertoken.dev/web-login-requested:", "No login was begun:",
	"The annotation githubusertoken.dev/hold-until is ignored:", "The hold is ignored:",
)

// plain is a sentence without it; empty when nothing is left.
func plain(sentence string) string {
	sentence = otherWords.Replace(sentence)
	for _, half := range alsoByHand {
		if before, _, found := strings.Cut(sentence, half); found && !isByHand(before) {
			return before + "."
		}
	}
	if isByHand(sentence) {
		return ""
	}
	return sentence
}

func isByHand(sentence string) bool {
	for _, part := range byHand {
		if strings.Contains(sentence, part) || strings.Contains(sentence, capital(part)) {
			return true
		}
	}
	return false
}

// split is the sentences of a text: each ends with a full stop that a capital letter or a quotation follows.
func split(text string) []string {
	var all []string
	for {
		end := 0
		for {
			next := strings.Index(text[end:], ". ")
			if next < 0 {
				if text = strings.TrimSpace(text); text != "" {
					all = append(all, text)
				}
				return all
			}
			end += next + len(". ")
			if first, _ := utf8.DecodeRuneInString(text[end:]); unicode.IsUpper(first) || first == '"' {
				break
			}
		}
		all = append(all, strings.TrimSpace(text[:end]))
		text = text[end:]
	}
}

// capital begins a sentence.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
