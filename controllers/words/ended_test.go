package words

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

func TestRevokedOnRequestIsToldWithWhatGitHubHasDone(t *testing.T) {
	if got := EndedAtGitHub(nil) + EndedAtGitHub(&rotation.State{}); got != "" {
		t.Errorf("where nobody has asked it says %q", got)
	}
	for name, c := range map[string]struct {
		change func(*origin.Revocation)
		want   string
	}{
		"revoked":  {func(r *origin.Revocation) { r.Done = true }, "GitHub has ended its tokens."},
		"given up": {func(r *origin.Revocation) { r.Done, r.GivenUp = true, true }, "the access token may work until it expires"},
	} {
		revocation := &origin.Revocation{}
		c.change(revocation)
		if got := EndedAtGitHub(&rotation.State{Login: &origin.Login{Revocation: revocation}}); !strings.Contains(got, c.want) {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
