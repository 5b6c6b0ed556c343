package densecache

import (
	"bytes"
	"strings"
	"testing"
)

func TestDenseCacheWordsAreWrittenShort(t *testing.T) {
	state := strings.Join(words[:], "7651c375")
	for name, text := range map[string]string{
		"nothing": "", "no word": "abc", "a word": words[0], "words in a row": words[0] + words[0], "a part of a word": words[0][:20], "all words": state,
		"marks": "\xfe\xfe\x00\xfe", "a mark before a word": "\xfe" + words[3], "a number that is none": "\x00\x01\xff", "a mark at the end": "a\xfe",
	} {
		t.Run(name, func(t *testing.T) {
			short := shorten("", []byte(text))
			if got := string(lengthen(nil, short)); got != text {
				t.Errorf("%q became %q", text, got)
			}
			if len(short) > 2*len(text) {
				t.Errorf("%d bytes became %d", len(text), len(short))
			}
		})
	}
	if short := shorten("", []byte(state)); len(short) > 8*len(words)+2*len(words) {
		t.Errorf("%d bytes became %d", len(state), len(short))
	}
}

// What is looked for in shortened text is never a part of a word, nor begins in one.
func TestDenseCacheWordsHideNoUIDOrFingerprint(t *testing.T) {
	for _, word := range words {
		if !strings.ContainsAny(word, `/"`) && word != "GitHubUserToken" {
			t.Errorf("%q could be in a name", word)
		}
	}
}

func FuzzDenseCacheWords(f *testing.F) {
	f.Add([]byte(strings.Join(words[:], "")))
	f.Add([]byte{mark, 0, mark})
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := lengthen([]byte("x"), shorten("", text))[1:]; !bytes.Equal(got, text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
