package lifecycle

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// PairSeen is told of each pair Secret and each backup that the cache shows for the first time.
func (c *Controller) PairSeen(pair *rotation.Pair) { c.releaser.Changed(pair) }

// PairChanged is told of each event about a pair Secret or a backup; after is nil when it is gone. What was remembered of a Secret that
// is gone is dropped, and resources that want a token which a chain has given up get their turn.
func (c *Controller) PairChanged(before, after *rotation.Pair) {
	if after == nil {
		c.releaser.Removed(before)
		c.notes.Peek(types.UID(before.Owner.UID), func(m *note) {
			if m.latest != nil && m.latest.UID == before.UID {
				m.latest = nil
			}
		})
	}
	state := (*rotation.State)(nil)
	if after != nil {
		c.releaser.Changed(after)
		state = &after.State
	}
	c.ownership.PairChanged(before.Ref.Namespace, &before.State, state)
}

// Wanting are the resources that want a refresh token, the first in order first; see Options.Freed.
func (c *Controller) Wanting(token credential.Fingerprint) []types.NamespacedName {
	return c.ownership.Wanting(token)
}

// NamedSecretChanged is told of each change of a Secret that a resource names: a seed, a client secret, or whatever stands under
// a name that is asked for. A failure that this may have mended is forgotten; one of GitHub's own is not mended by that, and its
// back-off stands. The caller has the resource reconciled.
func (c *Controller) NamedSecretChanged(token *v1alpha1.GitHubUserToken, secret string) {
	if secret != token.PairSecretName() { // Our own writes mend nothing.
		c.forgetMended(token)
	}
	c.notes.Peek(token.UID, func(m *note) { m.moveBlocked, m.restoreBlocked = nil, nil })
}

// AppChanged is told of each resource whose App has changed: its spec, its client secret, or who may use it. A failure that
// this may have mended is forgotten, as in NamedSecretChanged.
func (c *Controller) AppChanged(token *v1alpha1.GitHubUserToken) {
	c.forgetMended(token)
	c.wake(scope.NameOf(token))
}

// forgetMended forgets a failure that somebody may have mended.
func (c *Controller) forgetMended(token *v1alpha1.GitHubUserToken) {
	c.checks.Reconsider(token.UID)
	c.notes.Peek(token.UID, func(m *note) {
		if f := m.failure; f != nil && !f.problem.Ambiguous && f.problem.Reason != v1alpha1.ReasonRateLimited {
			m.failure = nil
		}
	})
}

// Seeds is what reads and remembers the Secrets in which resources have their seeds and client secrets.
func (c *Controller) Seeds() *seeds.Reader { return c.seeds }
