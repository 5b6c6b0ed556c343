package rotation

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

func TestOfTwoCopiesTheNewerCounts(t *testing.T) {
	login := credential.NewRefreshToken("ghr_seed")
	fence := func(id string) *Pair {
		return &Pair{
			Owner: deviceOwner, Controlled: true, SeedToken: login, State: State{Owner: "uid", PendingSeed: login.Fingerprint()},
			Intent: &Intent{ID: id, Holder: Holder{Outbox: id, Process: id}, Spends: login.Fingerprint(), Unresolved: len(id)},
		}
	}
	t.Run("a login under way is taken along into the backup that takes its place", func(t *testing.T) {
		got := newer(fence("a"), brokenChain())
		if got.RefreshToken.Reveal() != "ghr_old" || got.SeedToken != login || got.State.PendingSeed != login.Fingerprint() || got.Intent.ID != "a" {
			t.Errorf("the pair has %s pending under %+v", got.State.PendingSeed.Short(), got.Intent)
		}
	})
	t.Run("a login that a late backup is at does not come back", func(t *testing.T) {
		if got := newer(brokenChain(), fence("b")); !got.SeedToken.IsZero() || got.Intent != nil {
			t.Error("it came back")
		}
	})
	t.Run("two fences for one login become one that everybody waits for", func(t *testing.T) {
		got := newer(fence("a"), fence("bb"))
		if got.Intent.Standing(Holder{Outbox: "a", Process: "a"}) != StandingForeign || got.Intent.Unresolved != 2 || got.Intent.ID == "a" || got.Intent.ID == "bb" {
			t.Errorf("the intent is %+v", got.Intent)
		}
	})
	t.Run("a pair that is not proven does not replace one that is", func(t *testing.T) {
		unproven := brokenChain()
		unproven.State.Owner, unproven.State.Revision = "former", 99
		for _, got := range []*Pair{newer(unproven, brokenChain()), newer(brokenChain(), unproven)} {
			if got.State.Owner != "uid" {
				t.Errorf("the pair of %q counts", got.State.Owner)
			}
		}
	})
}
