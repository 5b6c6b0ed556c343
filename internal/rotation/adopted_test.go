package rotation

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

func TestACommitGoesOnFromWhatStandsThere(t *testing.T) {
	login := credential.NewRefreshToken("ghr_seed")
	base := brokenChain()
	record := Record{
		ID: "1", Ref: base.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: login.Fingerprint(), Login: true,
		Base: base.State, Reply: said(pairReply),
	}
	commit := func(t *testing.T, live *Pair) *Pair {
		t.Helper()
		w := newDeviceWorld()
		if _, err := w.shelf.put(live); err != nil {
			t.Fatal(err)
		}
		if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed {
			t.Fatalf("the outcome is %s: %v", result.Outcome, result.Err)
		}
		return w.shelf.pair
	}
	t.Run("a chain that was adopted meanwhile stays with its new owner", func(t *testing.T) {
		adopted := brokenChain()
		adopted.SeedToken, adopted.State.PendingSeed = login, login.Fingerprint()
		adopted.Owner.UID = "next"
		adopted.State.Owner = "next"
		if stored := commit(t, adopted); stored.State.Owner != "next" || stored.State.RefreshCount != 1 {
			t.Errorf("the chain is bound to %s after %d refreshes", stored.State.Owner, stored.State.RefreshCount)
		}
	})
	t.Run("an old copy that was put in its place learns of later logins", func(t *testing.T) {
		older := brokenChain()
		older.State.Revision, older.State.Seeds = 3, []SeedRecord{{Fingerprint: "first"}}
		record.Base.Seeds = []SeedRecord{{Fingerprint: "first"}, {Fingerprint: "seed"}}
		stored := commit(t, older)
		for _, seed := range []credential.Fingerprint{"first", "seed", login.Fingerprint()} {
			if !stored.State.HasImported(seed) {
				t.Errorf("the chain does not know that it has imported %q", seed)
			}
		}
	})
}
