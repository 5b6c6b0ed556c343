package rotation

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// againJob is the job of whoever presents a refused token once more.
func againJob(w *deviceWorld) Job {
	job := dueJob(w)
	job.Decision.Cause = CauseAgain
	return job
}

// A refusal that nothing else explains leaves the token to be presented once more: that is taken away with the fence, before the
// token is sent, and a second refusal brings it back no more.
func TestARefusedTokenIsPresentedOnceMoreAndNoMore(t *testing.T) {
	w, store, gitHub, _ := newRefusal(badToken)
	store.with = nil
	job := dueJob(w)
	job.RefreshRequestedAt = "first"
	if result := w.rotator.Rotate(t.Context(), job); result.Reason != ReasonRefreshTokenRejected {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	first := w.shelf.pair.State.Verdict
	if first == nil || !first.AgainAt.Equal(first.Time.Add(AgainAfter)) || first.Asked != "first" {
		t.Fatalf("the first verdict is %+v", first)
	}
	gitHub.onSend = func() {
		if stored := w.shelf.pair.State.Verdict; stored == nil || !stored.AgainAt.IsZero() {
			t.Errorf("when the token is sent the stored verdict is %+v", stored)
		}
	}
	if result := w.rotator.Rotate(t.Context(), againJob(w)); result.Reason != ReasonRefreshTokenRejected || gitHub.sent != 2 {
		t.Fatalf("%s (%s) after %d requests", result.Outcome, result.Reason, gitHub.sent)
	}
	if last := w.shelf.pair.State.Verdict; last == nil || !last.AgainAt.IsZero() || w.shelf.pair.Intent != nil {
		t.Errorf("the last verdict is %+v", last)
	}
}

func TestASuccessAfterARefusalClearsTheVerdict(t *testing.T) {
	w, store, gitHub, _ := newRefusal(badToken)
	store.with = nil
	w.rotator.Rotate(t.Context(), dueJob(w))
	gitHub.reply = said(`{"access_token":"ghu_new","expires_in":28800,"refresh_token":"ghr_new","refresh_token_expires_in":15897600}`)
	if result := w.rotator.Rotate(t.Context(), againJob(w)); result.Outcome != Committed || w.shelf.pair.State.Verdict != nil {
		t.Errorf("%s: %v, the verdict is %+v", result.Outcome, result.Err, w.shelf.pair.State.Verdict)
	}
}

// What GitHub has not looked at counts for nothing.
func TestAnAnswerThatLeavesTheTokenUntouchedIsNoSecondPresentation(t *testing.T) {
	w, store, gitHub, _ := newRefusal(badToken)
	store.with = nil
	w.rotator.Rotate(t.Context(), dueJob(w))
	want := w.shelf.pair.State.Verdict.AgainAt
	gitHub.reply = said(`{"error":"incorrect_client_credentials"}`)
	if result := w.rotator.Rotate(t.Context(), againJob(w)); result.Outcome != Untouched {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	if verdict := w.shelf.pair.State.Verdict; verdict == nil || !verdict.AgainAt.Equal(want) || w.shelf.pair.Intent != nil {
		t.Errorf("the verdict is %+v", verdict)
	}
}

// A lost answer, a copy from a backup and a state that was computed anew explain a refusal better than a mistake does.
func TestARefusalThatSomethingElseExplainsIsFinal(t *testing.T) {
	for name, change := range map[string]func(*Pair){
		"an answer was lost": func(p *Pair) {
			p.Intent = &Intent{ID: "earlier", Holder: Holder{Process: "another"}, Spends: p.RefreshToken.Fingerprint(), App: p.State.App}
		},
		"a backup was restored":        func(p *Pair) { p.State.Restored = true },
		"the state was computed":       func(p *Pair) { p.State.Incomplete, p.State.Revision = true, 1 },
		"the access token ended first": func(p *Pair) { p.State.AccessTokenEnded = true },
		"the refresh token is too old": func(p *Pair) { p.State.RefreshTokenExpiresAt = time.Now().Add(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w, store, _, _ := newRefusal(badToken)
			store.with = nil
			w.shelf.edit(change)
			w.rotator.Rotate(t.Context(), dueJob(w))
			if verdict := w.shelf.pair.State.Verdict; verdict == nil || !verdict.AgainAt.IsZero() {
				t.Errorf("the verdict is %+v", verdict)
			}
		})
	}
}

// An answer to the second presentation that gets lost leaves the intent, and ends as a lost reply.
func TestALostAnswerToTheSecondPresentationIsAReplyLost(t *testing.T) {
	w, store, gitHub, _ := newRefusal(badToken)
	store.with = nil
	w.rotator.Rotate(t.Context(), dueJob(w))
	gitHub.reply = &github.Reply{Status: 502}
	if result := w.rotator.Rotate(t.Context(), againJob(w)); result.Outcome != Unknown || w.shelf.pair.Intent == nil {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	gitHub.reply = said(badToken)
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Reason != ReasonReplyLost {
		t.Errorf("%s (%s): %v", result.Outcome, result.Reason, result.Err)
	}
	if verdict := w.shelf.pair.State.Verdict; verdict == nil || !verdict.AgainAt.IsZero() {
		t.Errorf("the verdict is %+v", verdict)
	}
}
