package words

import "testing"

func TestSentenceLeavesNamesOfHostsAsTheyAre(t *testing.T) {
	for text, want := range map[string]string{
		"localhost: GitHub does not know the client ID": "localhost: GitHub does not know the client ID.",
		"localhost:8443: it did not answer":             "localhost:8443: it did not answer.",
		"github.example.com: it did not answer":         "github.example.com: it did not answer.",
		"[::1]:8443: it did not answer":                 "[::1]:8443: it did not answer.",
		"the host is not allowed":                       "The host is not allowed.",
		"":                                              "",
	} {
		if got := Sentence(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
