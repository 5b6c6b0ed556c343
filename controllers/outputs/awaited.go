package outputs

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Outputs with a scope are written after the others, in work of their own, for which nobody waits who reads the user's own token. Until
// then they are late: those who read them are told when they are written.

// restartsWait is for how long workloads that are to be restarted wait for outputs with a scope, which mostly come in a fraction of it:
// one that reads both would be restarted twice. After that it is.
const restartsWait = 2 * time.Second

// awaited is the user's token of which an output is to hold a scoped one.
type awaited struct {
	token credential.Fingerprint
	since time.Duration
}

// Await notes that an output with a scope does not hold a token of the user's new one yet.
func (o *Outputs) Await(uid types.UID, name string, token credential.Fingerprint) {
	mono := o.options.Clock.Monotonic()
	o.notes.slot.With(uid, func(n *notes) {
		if n.byName == nil {
			n.byName = map[string]note{}
		}
		remembered := n.byName[name]
		remembered.awaited = awaited{token, mono}
		n.byName[name] = remembered
	})
}

// Came notes that an output with a scope was written with what was made of the user's token, or that this has failed.
func (o *Outputs) Came(uid types.UID, name string, token credential.Fingerprint) {
	o.notes.change(uid, name, func(_ *notes, remembered *note) {
		if remembered.awaited.token == token {
			remembered.awaited = awaited{}
		}
	})
}

// RestartsAt is when workloads are restarted without waiting any longer for outputs with a scope; zero when none is waited for.
func (o *Outputs) RestartsAt(token *v1alpha1.GitHubUserToken, now time.Time) (at time.Time) {
	mono := o.options.Clock.Monotonic()
	o.notes.slot.Peek(token.UID, func(n *notes) {
		for _, remembered := range n.byName {
			if wait := remembered.awaited.wait(mono); wait > 0 {
				at = earlier(at, now.Add(wait))
			}
		}
	})
	return at
}

// wait is for how long a restart waits for an output.
func (a awaited) wait(mono time.Duration) time.Duration {
	if a.token == "" {
		return 0
	}
	return max(0, a.since+restartsWait-mono)
}
