package lifecycle

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/recent"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// registry is which resources this process knows, by name and UID. It has those that are gone forgotten in every
// part of the operator.
type registry struct {
	memory    *memory.Store
	runner    *runner.Runner
	ownership *seeds.Ownership
	rotator   *rotation.Rotator
	// cancel takes a resource out of the queue for the rate limit.
	cancel func(id string)
	// released are resources that were let go. The cache may show one for a while, and a backup of its Secret be back already,
	// which is not to be removed. To retain it again does no harm, and saves what was stored late.
	released recent.Set[types.UID]
	// gone are resources that were seen to be gone, of which only the name is remembered.
	gone recent.Line[types.UID]
}

// maxGone is of how many resources that are gone the name is remembered. Of more, Secrets that bear our finalizer wait for a
// resource that might come from a backup.
const maxGone = 10000

// learn remembers the name of a resource, and forgets those that bore it before: that they are gone may never have
// been seen, and what they claimed is free.
func (r *registry) learn(token *v1alpha1.GitHubUserToken) {
	r.gone.Remove(token.UID)
	r.memory.Learn(token.UID, scope.NameOf(token))
	for _, uid := range r.memory.UIDs(scope.NameOf(token)) {
		if uid != token.UID && !r.runner.Busy(uid) {
			r.forget(uid)
		}
	}
}

// forget drops all that is remembered of a resource that is gone, and gives those that wanted the same
// refresh token their turn.
func (r *registry) forget(uid types.UID) {
	r.letGo(uid)
	r.memory.Forget(uid)
	r.rotator.Forget(rotation.Owner{UID: string(uid)})
}

// letGo drops what a resource claims and waits for, and nothing else.
func (r *registry) letGo(uid types.UID) {
	r.ownership.Forget(uid)
	r.cancel(string(uid))
}

// ForgetAll forgets the resources of a name that no work is under way for. That they were known is kept.
func (r *registry) ForgetAll(name types.NamespacedName) {
	for _, uid := range r.memory.UIDs(name) {
		if !r.runner.Busy(uid) {
			r.forget(uid)
			r.memory.Learn(uid, name)
			r.bury(uid)
		}
	}
}

// bury notes that a resource is gone, and forgets the name of the one that has been gone for longest when there are too many.
func (r *registry) bury(uid types.UID) {
	if first, tooMany := r.gone.Add(uid, maxGone); tooMany {
		r.memory.Forget(first)
	}
}

// Knows reports whether this process has ever seen a resource, or was told of it.
func (r *registry) Knows(uid types.UID) bool {
	_, known := r.memory.Name(uid)
	return known
}
