package scopedtokens

import (
	"slices"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Whoever reads the user's own token does not wait for GitHub to make others of it, nor does the next exchange.
func TestScopedOutputsFollowAndNobodyWaitsForThem(t *testing.T) {
	w := newWorld(t, named("agent"), v1alpha1.Output{Name: "whole", Format: v1alpha1.OutputFormatOpaque})
	w.publish()
	w.settled()
	w.clock.Mono = 6 * time.Hour
	w.exchange("ghu_second")
	w.Publish(t.Context(), w.token, w.app, w.pairs.pair.Clone())
	if token, _ := w.held("whole"); token != "ghu_second" {
		t.Errorf("the output with the user's own token holds %s", token)
	}
	if token, _ := w.held("agent"); token != "ghu_scoped1" || w.runner.Busy(w.token.UID) || w.runner.Count() != 1 {
		t.Errorf("the other holds %s, an exchange would wait: %t, %d pieces of work are under way", token, w.runner.Busy(w.token.UID), w.runner.Count())
	}
	late := func(want ...string) {
		t.Helper()
		if got := w.outputs.Late(w.token); !slices.Equal(got, want) {
			t.Errorf("late are %v, want %v", got, want)
		}
	}
	late("agent") // Its readers are told when it is written.
	if !w.outputs.Transient(w.token.UID) {
		t.Error("workloads would be restarted twice")
	}
	if found, at := w.sync(); found != nil || !at.Equal(w.clock.Now().Add(2*time.Second)) {
		t.Errorf("meanwhile it says %+v, and looks again at %s", found, at)
	}
	w.clock.Mono += 2 * time.Second
	if w.outputs.Transient(w.token.UID) {
		t.Error("workloads would not be restarted while GitHub makes no token")
	}
	late("agent")
	w.queue.Run()
	if token, _ := w.held("agent"); token != "ghu_scoped2" {
		t.Errorf("it holds %s", token)
	}
	late()
	if w.runner.Count() != 0 {
		t.Error("the work has not ended")
	}
}

// What failed with a user's token that was exchanged meanwhile is no reason to wait with the next.
func TestScopedWorkThatAnExchangeOvertakesIsBegunAnewAtOnce(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.hub.ask = []error{errUnknown, errUnknown, errUnknown}
	w.hub.on = func() {
		w.hub.on = nil
		w.exchange("ghu_second")
		w.Publish(t.Context(), w.token, w.app, w.pairs.pair.Clone())
		w.hub.ask = w.hub.ask[:1]
	}
	w.publish()
	if late := w.outputs.Late(w.token); !slices.Equal(late, []string{"agent"}) {
		t.Errorf("late are %v", late)
	}
	w.settled()
	if token, _ := w.held("agent"); token != "ghu_scoped1" || w.ledger("agent").Current.Parent != w.pairs.pair.State.AccessToken {
		t.Errorf("it holds %q", token)
	}
	if len(w.hub.asked) != 2 || w.clock.Mono != 0 {
		t.Errorf("GitHub was asked %d times, for %s", len(w.hub.asked), w.clock.Mono)
	}
	if late := w.outputs.Late(w.token); len(late) != 0 {
		t.Errorf("late are %v", late)
	}
}

// What failed before an exchange does not hold up what follows it, though work was under way then.
func TestScopedOutputInTroubleIsTriedAgainWithTheNextUsersToken(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.hub.ask = []error{errDenied}
	w.publish()
	w.token.Spec.Outputs = append(w.token.Spec.Outputs, named("other"))
	w.hub.on = func() {
		w.hub.on = nil
		w.exchange("ghu_second")
		w.Publish(t.Context(), w.token, w.app, w.pairs.pair.Clone())
	}
	w.settled()
	for _, name := range []string{"agent", "other"} {
		if token, _ := w.held(name); token == "" || w.ledger(name).Current.Parent != w.pairs.pair.State.AccessToken {
			t.Errorf("%s holds %q", name, token)
		}
	}
	if w.clock.Mono != 0 {
		t.Errorf("it took %s", w.clock.Mono)
	}
}
