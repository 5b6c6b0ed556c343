package rotation

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
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
	t.Run("of two logins that do not know of each other the one that can go on counts", func(t *testing.T) {
		fresh, condemned := brokenChain(), brokenChain()
		fresh.State.Seeds, fresh.State.Verdict = []SeedRecord{{Fingerprint: "code"}}, nil
		condemned.State.Seeds, condemned.State.Revision = []SeedRecord{{Fingerprint: "former"}}, 99
		condemned.State.Verdict = &Verdict{Reason: ReasonReplyLost}
		for _, got := range []*Pair{newer(fresh, condemned), newer(condemned, fresh)} {
			if got.State.Verdict != nil {
				t.Errorf("the login %s counts, which is of no more use", got.State.Seeds[0].Fingerprint)
			}
		}
		condemned.State.Seeds = append(condemned.State.Seeds, fresh.State.Seeds...)
		for _, got := range []*Pair{newer(fresh, condemned), newer(condemned, fresh)} {
			if got.State.Verdict == nil {
				t.Error("an older copy of a chain counts, whose tokens are spent")
			}
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

// A copy is put back over the Secret in the middle of an exchange. It is from before the Secret was deleted by force, and
// has a higher revision and logins that nobody remembers.
func TestCommitReplacesACopyFromBeforeTheSecretWasMade(t *testing.T) {
	record := Record{
		Owner: deviceOwner, SecretUID: "secret", Spent: credential.NewRefreshToken("ghr_spent").Fingerprint(),
		Base: State{Revision: 1, RefreshToken: credential.NewRefreshToken("ghr_spent").Fingerprint(), Seeds: []SeedRecord{{Fingerprint: "code"}}},
	}
	copied := func() *Pair {
		return &Pair{
			UID: "secret", Owner: deviceOwner, Controlled: true,
			AccessToken: credential.NewAccessToken("ghu_copy"), RefreshToken: credential.NewRefreshToken("ghr_copy"),
			State: State{
				Revision: 3, AccessToken: credential.NewAccessToken("ghu_copy").Fingerprint(),
				RefreshToken: credential.NewRefreshToken("ghr_copy").Fingerprint(), Seeds: []SeedRecord{{Fingerprint: "former"}},
			},
		}
	}
	for name, test := range map[string]struct {
		change func(*Pair)
		want   bool // that it has moved on
	}{
		"the copy gives way":                                      {func(*Pair) {}, false},
		"so does one whose tokens had just been edited":           {func(p *Pair) { p.State.RefreshToken = "edited" }, false},
		"one that is another Secret may be another person's":      {func(p *Pair) { p.UID = "another" }, true},
		"a login that knows of the former is a new one":           {func(p *Pair) { p.State.Seeds = append(p.State.Seeds, record.Base.Seeds...) }, true},
		"of a state that was computed anew nobody can tell":       {func(p *Pair) { p.State.Incomplete = true }, true},
		"of one that was just garbled nobody can tell":            {func(p *Pair) { p.StateLost = true }, true},
		"a chain that is as long as can be may have forgotten it": {func(p *Pair) { p.State.Seeds = make([]SeedRecord, MaxSeeds) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			live := copied()
			test.change(live)
			if got := movedOn(live, record); got != test.want {
				t.Errorf("moved on: %v, want %v", got, test.want)
			}
		})
	}
}

// A process whose cache does not show the Secret fences the login that the chain goes back to, just while the Secret is
// being replaced. The pair is committed over that fence.
func TestCommitDropsALoginThatItsChainGoesBackTo(t *testing.T) {
	login, other := credential.NewRefreshToken("ghr_seed"), credential.NewRefreshToken("ghr_other")
	record := Record{
		ID: "refresh", Owner: deviceOwner, Spent: credential.NewRefreshToken("ghr_spent").Fingerprint(),
		Base:  State{Owner: "uid", Revision: 2, Seeds: []SeedRecord{{Fingerprint: login.Fingerprint()}}},
		Reply: &github.Reply{},
	}
	for name, c := range map[string]struct {
		fenced credential.RefreshToken
		kept   bool
	}{
		"the login at the root of the chain": {fenced: login},
		"a login that is new":                {fenced: other, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			live := &Pair{
				Owner: deviceOwner, Controlled: true, SeedToken: c.fenced, State: State{Owner: "uid", PendingSeed: c.fenced.Fingerprint()},
				Intent: &Intent{ID: "first", Spends: c.fenced.Fingerprint()},
			}
			got := pairAfter(live, Policy{}, record, github.Tokens{
				AccessToken: credential.NewAccessToken("ghu_new"), RefreshToken: credential.NewRefreshToken("ghr_new"),
			})
			if kept := !got.SeedToken.IsZero(); kept != c.kept || kept != (got.State.PendingSeed != "") || kept != (got.Intent != nil) {
				t.Errorf("kept: token %t, pending %q, intent %+v", kept, got.State.PendingSeed, got.Intent)
			}
			if got.RefreshToken.Reveal() != "ghr_new" {
				t.Errorf("the pair that was received is not stored")
			}
		})
	}
}
