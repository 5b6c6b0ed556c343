package rotation

import (
	"context"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// watched is an Exchanger that looks at the rotator while a token is under way.
type watched struct{ look func() }

func (w watched) Exchange(context.Context, github.App, credential.RefreshToken) (*github.Reply, error) {
	w.look()
	return said(pairReply), nil
}

func TestAtWorkWhileAnExchangeLasts(t *testing.T) {
	w, store := newDeviceWorld(), &shelves{byRef: map[Ref]*Pair{}}
	chain := brokenChain()
	chain.State.Verdict = nil
	pair, err := store.put(chain)
	if err != nil {
		t.Fatal(err)
	}
	w.rotator.Store = making{store}
	var seen *Intent
	w.rotator.Exchanger = watched{func() {
		fenced, err := store.Get(t.Context(), pair.Ref)
		if err != nil {
			t.Fatal(err)
		}
		if seen = fenced.Intent; !w.rotator.AtWork(seen) {
			t.Errorf("nobody is said to be at work under %+v", seen)
		}
		if !w.rotator.IsSpending(seen.Spends) || w.rotator.IsSpending("another") {
			t.Error("another token is said to be spent than the one that is")
		}
		if w.rotator.AtWork(&Intent{ID: "another"}) || w.rotator.AtWork(nil) {
			t.Error("somebody is said to be at work under another intent")
		}
	}}
	result := w.rotator.Rotate(t.Context(), Job{
		Owner: deviceOwner, Ref: pair.Ref, App: deviceApp, Pair: pair,
		Decision: Decision{Action: ActionRefresh, Cause: CauseDue, Spends: pair.State.RefreshToken},
	})
	if result.Outcome != Committed || seen == nil {
		t.Fatalf("the outcome is %s, %v", result.Outcome, result.Err)
	}
	if w.rotator.AtWork(seen) || w.rotator.IsSpending(seen.Spends) {
		t.Error("it is said to go on when it has ended")
	}
}
