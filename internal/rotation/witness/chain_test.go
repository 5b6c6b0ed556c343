package witness

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// What a chain has held or dealt with is known as long as it is remembered, also where no Secret tells it any longer.
func TestChainKnowsEveryTokenThatItHasHadToDoWith(t *testing.T) {
	t.Parallel()
	const app, other = "github.com/one", "github.com/two"
	fingerprint := func(token string) credential.Fingerprint { return credential.NewRefreshToken(token).Fingerprint() }
	var former credential.Trail
	for _, token := range []string{"first", "second"} {
		former = former.With(fingerprint(token))
	}
	chain := Of(&rotation.State{
		RefreshToken: fingerprint("newest"), Former: former,
		Seeds: []rotation.SeedRecord{{Fingerprint: fingerprint("imported")}, {Fingerprint: fingerprint("refused"), RefusedFor: app}},
	})
	for token, known := range map[string]struct{ app, other bool }{
		"first": {true, true}, "second": {true, true}, "newest": {true, true}, "imported": {true, true},
		"refused": {true, false}, "another": {},
	} {
		if got := chain.Knows(fingerprint(token), app); got != known.app {
			t.Errorf("%s for its App: known %t", token, got)
		}
		if got := chain.Knows(fingerprint(token), other); got != known.other {
			t.Errorf("%s for another App: known %t", token, got)
		}
	}
	if chain.Knows("", app) {
		t.Error("no token is known")
	}
}
