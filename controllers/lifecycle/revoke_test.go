package lifecycle

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// A request does not wait for somebody to mend what is in the way of finding out about an exchange.
func TestRevocationRequestDoesNotWaitForAnExchangeThatNothingCanSettle(t *testing.T) {
	for name, c := range map[string]struct{ stalled, asked bool }{
		"somebody must act": {true, true},
		"it passes":         {false, true},
		"somebody must act, and nobody has asked": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Reporter = untold{}
			w.secrets[inPlace] = pairAt("1", func(p *rotation.Pair) {
				p.State.User, p.State.OwnerName = &rotation.User{Login: "octocat", ID: 1}, owner.Name
				p.Intent = &rotation.Intent{ID: "1", Spends: "refresh"}
			})
			s := &scope.Scope{
				Token: deleted(v1alpha1.DeletionPolicyDelete), Owner: owner, Ref: inPlace, Pair: w.secrets[inPlace].Clone(), Now: start,
				App: scope.App{Problem: &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: c.stalled}}, Input: rules.Input{RevocationAsked: c.asked},
			}
			result := w.resolve(t.Context(), s, rotation.Decision{Action: rotation.ActionResolve, Spends: "refresh"})
			want := c.stalled && c.asked
			if got := w.secrets[inPlace].State.Login.IsAsked(); got != want || (result.State == Again) != want {
				t.Errorf("it was taken down: %t, and the result is %+v", got, result)
			}
		})
	}
}

// untold takes events.
type untold struct{ Reporter }

func (untold) Eventf(_, _ runtime.Object, _, _, _, _ string, _ ...any) {}
