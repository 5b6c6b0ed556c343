package outputs

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

// Reconsider has outputs of a resource tried again that wait for somebody, by the next Sync: a Secret that the
// resource names has changed, and what was in their way may be gone. The caller has the resource reconciled.
func (o *Outputs) Reconsider(uid types.UID) {
	o.notes.slot.Peek(uid, func(n *notes) {
		if n.round != nil {
			n.round.disturbed = true
		}
		for _, remembered := range n.byName {
			if remembered.trouble != nil && remembered.trouble.problem.Stalled {
				remembered.trouble.retry = backoff.Due{}
			}
		}
	})
}

// Gone drops what is remembered of an output that the cache shows to be deleted: uid is that of the resource,
// secret that of the Secret.
func (o *Outputs) Gone(uid types.UID, name string, secret types.UID) {
	o.notes.change(uid, name, func(n *notes, remembered *note) {
		if n.round != nil {
			n.round.goes(secret)
		}
		if remembered.written != nil && remembered.written.UID == secret {
			remembered.forgetWritten()
		}
		remembered.checked = ""
	})
}
