package lifecycle

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
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
}

// learn remembers the name of a resource, and forgets those that bore it before: that they are gone may never have
// been seen, and what they claimed is free.
func (r *registry) learn(token *v1alpha1.GitHubUserToken) {
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
	r.ownership.Forget(uid)
	r.memory.Forget(uid)
	r.rotator.Forget(rotation.Owner{UID: string(uid)})
	r.cancel(string(uid))
}

// forgetAll forgets the resources of a name that no work is under way for. That they were known is kept.
func (r *registry) forgetAll(name types.NamespacedName) {
	for _, uid := range r.memory.UIDs(name) {
		if !r.runner.Busy(uid) {
			r.forget(uid)
			r.memory.Learn(uid, name)
		}
	}
}

// knows reports whether this process has ever seen a resource, or was told of it.
func (r *registry) knows(uid types.UID) bool {
	_, known := r.memory.Name(uid)
	return known
}
