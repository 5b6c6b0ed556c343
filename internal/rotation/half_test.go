package rotation

import (
	"context"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// once is an Exchanger that answers everything alike.
type once struct{ reply *github.Reply }

func (o once) Exchange(context.Context, github.App, credential.RefreshToken) (*github.Reply, error) {
	return o.reply, nil
}

func TestAReplyThatWasCutAfterItsAccessToken(t *testing.T) {
	half := said(`{"access_token":"ghu_new","expires_in":28800,"refresh_tok`)
	half.Truncated = true
	run := func(t *testing.T, pair *Pair, job func(*Job)) (Result, *Pair) {
		t.Helper()
		w := newDeviceWorld()
		w.rotator.Exchanger = once{half}
		stored, err := w.shelf.put(pair)
		if err != nil {
			t.Fatal(err)
		}
		work := Job{
			Owner: deviceOwner, Ref: stored.Ref, App: deviceApp, Pair: stored,
			Decision: Decision{Action: ActionRefresh, Cause: CauseDue, Spends: stored.State.RefreshToken},
		}
		if job != nil {
			job(&work)
		}
		result := w.rotator.Rotate(t.Context(), work)
		if len(w.box.records) != 0 || w.box.kept != 1 {
			t.Errorf("the reply was kept %d times, and %d records are left", w.box.kept, len(w.box.records))
		}
		return result, w.shelf.pair
	}
	chain := func() *Pair {
		pair := brokenChain()
		pair.State.Verdict = nil
		return pair
	}
	t.Run("leaves an access token that works until it expires", func(t *testing.T) {
		result, stored := run(t, chain(), nil)
		switch {
		case result.Outcome != Rejected || result.Reason != ReasonReplyLost:
			t.Errorf("the outcome is %s, %q", result.Outcome, result.Reason)
		case stored.AccessToken.Reveal() != "ghu_new" || !stored.RefreshToken.IsZero() || stored.State.RefreshToken != "":
			t.Error("the Secret does not hold the new access token alone")
		case stored.State.Verdict == nil || stored.State.Verdict.Reason != ReasonReplyLost || stored.Intent != nil || !stored.NextRefreshAt.IsZero():
			t.Errorf("the state says %+v, with intent %v", stored.State.Verdict, stored.Intent)
		case !stored.State.ExpiresAt.Equal(deviceNow.Add(28800e9)):
			t.Errorf("it expires at %v", stored.State.ExpiresAt)
		}
	})
	t.Run("does not end the chain of an older login", func(t *testing.T) {
		seed := credential.NewRefreshToken("ghr_seed")
		result, stored := run(t, chain(), func(job *Job) {
			job.Decision = Decision{Action: ActionImport, Cause: CauseNewSeed, Spends: seed.Fingerprint()}
			job.Seed = seed
		})
		if result.Outcome != Unknown || stored.RefreshToken.Reveal() != "ghr_old" || stored.Intent == nil {
			t.Errorf("the outcome is %s, and the chain has %s", result.Outcome, stored.RefreshToken.Fingerprint().Short())
		}
	})
}

// The reply to a commit can be so late that the pair was exchanged meanwhile, and brought half a reply. The access token
// of that half is alive, and those of the commit that is tried again are dead.
func TestALateCommitDoesNotReplaceTheHalfThatCameAfterIt(t *testing.T) {
	half := brokenChain()
	half.RefreshToken, half.State.RefreshToken = credential.RefreshToken{}, ""
	half.State.Revision, half.State.Verdict = 9, &Verdict{Reason: ReasonReplyLost}
	record := Record{Owner: deviceOwner, Spent: "spent", Base: brokenChain().State}
	record.Base.RefreshToken, record.Base.Revision = "spent", 7
	if !movedOn(half, record) {
		t.Error("the half would be overwritten by the pair that it was got for")
	}
	half.State.Revision = 7
	if movedOn(half, record) {
		t.Error("a Secret whose refresh token somebody took out is not given the new pair")
	}
}
