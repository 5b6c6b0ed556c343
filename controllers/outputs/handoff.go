package outputs

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Late are the names of the outputs that could not be written and still hold the token before, or none; sorted.
// Those who read them are told of the token again when they are written.
func (o *Outputs) Late(token *v1alpha1.GitHubUserToken) []string {
	var names []string
	o.notes.slot.Peek(token.UID, func(n *notes) {
		for _, output := range token.AllOutputs() {
			if remembered := n.byName[output.Name]; remembered.trouble != nil || remembered.awaited.token != "" {
				names = append(names, output.Name)
			}
		}
	})
	slices.Sort(names)
	return names
}

// Transient reports whether an output is missing or stale for a reason that may pass in a moment. A workload that
// is restarted before it is written would keep the old token. For scoped tokens, which GitHub may not make for long, those who read the
// user's own do not wait for longer than restartsWait; see Late.
func (o *Outputs) Transient(uid types.UID) (transient bool) {
	mono := o.options.Clock.Monotonic()
	o.notes.slot.Peek(uid, func(n *notes) {
		for _, remembered := range n.byName {
			transient = transient || remembered.awaited.wait(mono) > 0 || remembered.trouble != nil && remembered.trouble.problem.Transient && !isOfScope(remembered.trouble.problem.Reason)
		}
	})
	return transient
}

func isOfScope(reason string) bool {
	return reason == v1alpha1.ReasonScopedTokenNotMade || reason == v1alpha1.ReasonScopedTokenLost
}
