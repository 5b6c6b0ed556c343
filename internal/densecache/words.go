package densecache

import (
	"bytes"
	"strings"
)

// A word that stands in the metadata of most Secrets takes two bytes: mark and its number. A mark that is none takes two as well.
const mark = 0xfe // It stands in no UTF-8.

// words are in the keys of our annotations and labels, and in the state of a pair. To change them changes nothing outside of the
// process. None is a part of a UID or of a fingerprint, so that those can be looked for in what is written with them.
var words = [...]string{
	"githubusertoken.dev/pair-protection", "githubusertoken.dev/v1alpha1", "githubusertoken.dev/next-refresh-at", "githubusertoken.dev/expires-at",
	"githubusertoken.dev/state", "githubusertoken.dev/intent", "githubusertoken.dev/owner", "githubusertoken.dev/role", "githubusertoken.dev/", "GitHubUserToken",
	`{"format":1,"owner":"`, `","ownerName":"`, `","app":"`, `","revision":`, `,"refreshCount":`, `,"accessToken":"`, `","refreshToken":"`, `","issuedAt":"`,
	`Z","expiresAt":"`, `Z","refreshTokenExpiresAt":"`, `Z","seeds":[{"fingerprint":"`, `"},{"fingerprint":"`, `"}],"former":"`, `","seedVersion":"`,
	`/refresh_token@`, `,"user":{"login":"`, `","id":`, `"refusedFor":"`, `"verdict":{"reason":"`, `":"`, `","`,
}

// shorten writes words as their numbers, behind a prefix.
func shorten(prefix string, text []byte) string {
	short := append(make([]byte, 0, 2*len(text)+len(prefix)), prefix...)
next:
	for len(text) > 0 {
		if text[0] == mark {
			short = append(short, mark, mark)
			text = text[1:]
			continue
		}
		if isFirst[text[0]] {
			for number, word := range words {
				if word[0] == text[0] && bytes.HasPrefix(text, []byte(word)) {
					short = append(short, mark, byte(number))
					text = text[len(word):]
					continue next
				}
			}
		}
		short = append(short, text[0])
		text = text[1:]
	}
	return string(short)
}

// isFirst tells the bytes with which words begin.
var isFirst = func() (first [256]bool) {
	for _, word := range words {
		first[word[0]] = true
	}
	return first
}()

// lengthen undoes shorten, and appends to a text.
func lengthen(text []byte, short string) []byte {
	for {
		at := strings.IndexByte(short, mark)
		if at < 0 || at+1 >= len(short) {
			return append(text, short...)
		}
		text = append(text, short[:at]...)
		if number := short[at+1]; int(number) < len(words) {
			text = append(text, words[number]...)
		} else {
			text = append(text, number)
		}
		short = short[at+2:]
	}
}
