package words

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

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

// Whoever names a shared App inline is told that its client secret is not borrowed.
func TestClientSecretOfAnInlineAppIsSaidToBeItsOwn(t *testing.T) {
	token := &v1alpha1.GitHubUserToken{}
	if got := WhichClientSecret(token); !strings.Contains(got, "spec.app names none") || !strings.Contains(got, "only where spec.app.ref names it") {
		t.Errorf("without a client secret it says %q", got)
	}
	token.Spec.App.Ref = &v1alpha1.AppReference{Kind: v1alpha1.KindGitHubApp, Name: "mine"}
	if got := WhichClientSecret(token); got != "" {
		t.Errorf("with a reference it says %q", got)
	}
	token.Spec.App.Ref = nil
	token.Spec.App.ClientSecretRef = &v1alpha1.ClientSecretReference{Name: "mine", Key: "client_secret"}
	if got := WhichClientSecret(token); !strings.Contains(got, `key "client_secret" of Secret "mine"`) || !strings.Contains(got, "only where spec.app.ref names it") {
		t.Errorf("it says %q", got)
	}
}

func TestWordsOfARefusalThatCannotBeWrittenDown(t *testing.T) {
	for what, want := range map[Spent]string{RefreshToken: v1alpha1.ReasonRefreshTokenRejected, Code: v1alpha1.ReasonLoginCodeRejected} {
		got := Unrecorded(what, rotation.ErrDenied, true)
		if got.Reason != want || !strings.HasPrefix(got.Message, "GitHub refused "+string(what)+", and") {
			t.Errorf("%s: %s: %q", what, got.Reason, got.Message)
		}
	}
}
