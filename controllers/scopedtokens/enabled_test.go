package scopedtokens

import (
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestScopedOutputsAreOffUnlessTheAdministratorTurnsThemOn(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.off = true
	w.restart()
	w.publish()
	found, at := w.settled()
	if found == nil || found.Reason != v1alpha1.ReasonScopedTokenNotMade || !found.Stalled || !found.Aside || !at.IsZero() || !strings.Contains(found.Message, "--enable-scoped-outputs") {
		t.Errorf("it says %+v, again at %s", found, at)
	}
	if len(w.hub.asked) != 0 || len(w.cluster.writes) != 0 {
		t.Errorf("GitHub was asked %d times, and written: %v", len(w.hub.asked), w.cluster.writes)
	}
}

func TestScopedOutputsAreEndedAndRemovedWhenTheyAreTurnedOff(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	w.off = true
	w.restart()
	if found, _ := w.settled(); found == nil || found.Reason != v1alpha1.ReasonScopedTokenNotMade {
		t.Errorf("it says %+v", found)
	}
	if len(w.hub.alive) != 0 || w.cluster.get("agent") != nil || len(w.hub.asked) != 1 {
		t.Errorf("%d tokens are alive, the Secret is %v, GitHub was asked %d times", len(w.hub.alive), w.cluster.get("agent"), len(w.hub.asked))
	}
	w.off = false
	w.restart()
	if found, _ := w.settled(); found != nil {
		t.Errorf("turned on again it says %+v", found)
	}
	if token, _ := w.held("agent"); !w.hub.alive[token] {
		t.Error("turned on again it holds no token that works")
	}
}
