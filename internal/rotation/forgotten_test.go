package rotation

import (
	"fmt"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// afterLogins is a chain that has had so many logins.
func afterLogins(n int) *Pair {
	pair := brokenChain()
	pair.State.Verdict, pair.State.Seeds = nil, nil
	for i := range n {
		pair.State.recordSeed(SeedRecord{Fingerprint: credential.Fingerprint(fmt.Sprint("login-", i))})
	}
	return pair
}

// A chain remembers MaxSeeds logins. What it has forgotten is no later login of an older copy.
func TestOfTwoCopiesTheNewerCountsWhateverItHasForgotten(t *testing.T) {
	for logins := MaxSeeds - 1; logins <= MaxSeeds+1; logins++ {
		older := afterLogins(logins)
		record := Record{ID: "1", Ref: older.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: "login-new", Login: true, Base: older.State, Reply: said(pairReply)}
		tokens, err := record.Reply.Tokens()
		if err != nil {
			t.Fatal(err)
		}
		after := pairAfter(older, Policy{}, record, tokens)
		for name, got := range map[string]*Pair{"the older one first": newest(older, after), "the newer one first": newest(after, older)} {
			if got.RefreshToken != after.RefreshToken || !got.State.KnowsSeed("login-new", deviceApp.Key()) {
				t.Errorf("%d logins, %s: revision %d counts, of %d and %d", logins, name, got.State.Revision, older.State.Revision, after.State.Revision)
			}
		}
	}
}

// A copy that has had MaxSeeds logins since shares none with the other one.
func TestOfTwoCopiesTheOneWithManyLoginsSinceCounts(t *testing.T) {
	older, after := afterLogins(3), afterLogins(2*MaxSeeds+3)
	after.State.Revision = older.State.Revision + 2*MaxSeeds
	after.RefreshToken = credential.NewRefreshToken("ghr_after")
	after.State.RefreshToken = after.RefreshToken.Fingerprint()
	for name, got := range map[string]*Pair{"the older one first": newest(older, after), "the newer one first": newest(after, older)} {
		if got.RefreshToken != after.RefreshToken {
			t.Errorf("%s: the older one counts", name)
		}
	}
}

// A copy from before the last login is put back during a refresh: the pair that was received replaces it.
func TestCommitReplacesACopyFromBeforeALoginThatMadeTheChainForgetOne(t *testing.T) {
	for logins := MaxSeeds - 1; logins <= MaxSeeds; logins++ {
		older := afterLogins(logins)
		base := older.Clone()
		base.RefreshToken = credential.NewRefreshToken("ghr_last")
		base.State.RefreshToken, base.State.Revision = base.RefreshToken.Fingerprint(), older.State.Revision+1
		base.State.recordSeed(SeedRecord{Fingerprint: "login-last"})
		w := newDeviceWorld()
		older.UID = "restored"
		if _, err := w.shelf.put(older); err != nil {
			t.Fatal(err)
		}
		record := Record{ID: "1", Ref: base.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: base.State.RefreshToken, SecretUID: "other", Base: base.State, Reply: said(pairReply)}
		if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed {
			t.Errorf("%d logins: the outcome is %s", logins, result.Outcome)
		}
	}
}
