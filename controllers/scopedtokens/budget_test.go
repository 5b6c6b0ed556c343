package scopedtokens

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestScopedTokensAreBoundedHoweverOftenTheSpecChanges(t *testing.T) {
	w := newWorld(t, named("agent"))
	w.publish()
	for i := range 100 {
		w.token.Generation++
		o := named("agent")
		o.Scope.Permissions = map[string]v1alpha1.PermissionLevel{"contents": "read", fmt.Sprintf("x%d", i%2): "read"}
		w.token.Spec.Outputs = []v1alpha1.Output{o}
		w.rounds(5)
	}
	if asked := len(w.hub.asked) + len(w.hub.revoked); asked > budgetOfOne {
		t.Errorf("GitHub was asked %d times", asked)
	}
	w.clock.Mono += 2 * time.Hour
	w.settled()
	w.clock.Mono += overlap
	w.settled()
	if token, _ := w.held("agent"); !w.hub.alive[token] || len(w.hub.alive) != 1 {
		t.Errorf("later it holds a token that is alive: %t; %d are", w.hub.alive[token], len(w.hub.alive))
	}
}

func TestBudgetOfANamespaceBoundsItsResourcesTogether(t *testing.T) {
	var b budgets
	taken := 0
	for i := range 2 * budgetOfAll {
		if b.take(types.UID(fmt.Sprint(i)), "team-a", time.Minute) == 0 {
			taken++
		}
	}
	if taken != budgetOfAll || b.take("other", "team-b", time.Minute) != 0 || b.take("other", "team-a", time.Hour+time.Minute) != 0 {
		t.Errorf("%d were taken", taken)
	}
	for i := range 2 * maxBudgets {
		b.take(types.UID(fmt.Sprint(i)), fmt.Sprint("team-", i), 0)
	}
	if len(b.known) > maxBudgets+1 {
		t.Errorf("%d are remembered", len(b.known))
	}
}
