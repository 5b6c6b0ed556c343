package registry

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

// Options are what a Registry has resources forgotten in. All are needed.
type Options struct {
	Memory    *memory.Store
	Runner    *runner.Runner
	Ownership *seeds.Ownership
	Rotator   *rotation.Rotator
	// Cancel takes a resource out of the queue for the rate limit.
	Cancel func(id string)
}

// Registry is which resources this process knows, by name and UID. Make it with New; it is safe for concurrent use.
type Registry struct {
	options Options

	// Released are resources that were let go. The cache may show one for a while, and a backup of its Secret be back already,
	// which is not to be removed. To retain it again does no harm, and saves what was stored late.
	Released recent.Set[types.UID]

	// gone are resources that were seen to be gone, of which only the name is remembered.
	gone recent.Line[types.UID]
}

// New makes a Registry.
func New(options Options) *Registry { return &Registry{options: options} }

// maxGone is of how many resources that are gone the name is remembered. Of more, Secrets that bear our finalizer wait for a
// resource that might come from a backup.
const maxGone = 10000

// Learn remembers the name of a resource, and forgets those that bore it before: that they are gone may never have
// been seen, and what they claimed is free.
func (r *Registry) Learn(token *v1alpha1.GitHubUserToken) {
	r.gone.Remove(token.UID)
	r.options.Memory.Learn(token.UID, scope.NameOf(token))
	for _, uid := range r.options.Memory.UIDs(scope.NameOf(token)) {
		if uid != token.UID && !r.options.Runner.Busy(uid) {
			r.Forget(uid)
		}
	}
}

// Forget drops all that is remembered of a resource that is gone, and gives those that wanted the same
// refresh token their turn.
func (r *Registry) Forget(uid types.UID) {
	r.LetGo(uid)
	r.options.Memory.Forget(uid)
	r.options.Rotator.Forget(rotation.Owner{UID: string(uid)})
}

// LetGo drops what a resource claims and waits for, and nothing else.
func (r *Registry) LetGo(uid types.UID) {
	r.options.Ownership.Forget(uid)
	r.options.Cancel(string(uid))
}

// ForgetAll forgets the resources of a name that no work is under way for. That they were known is kept.
func (r *Registry) ForgetAll(name types.NamespacedName) {
	for _, uid := range r.options.Memory.UIDs(name) {
		if !r.options.Runner.Busy(uid) {
			r.Forget(uid)
			r.options.Memory.Learn(uid, name)
			r.bury(uid)
		}
	}
}

// bury notes that a resource is gone, and forgets the name of the one that has been gone for longest when there are too many.
func (r *Registry) bury(uid types.UID) {
	if first, tooMany := r.gone.Add(uid, maxGone); tooMany {
		r.options.Memory.Forget(first)
	}
}

// Knows reports whether this process has ever seen a resource, or was told of it.
func (r *Registry) Knows(uid types.UID) bool {
	_, known := r.options.Memory.Name(uid)
	return known
}

// CancelAll takes a resource out of each of the queues.
func CancelAll(queues ...interface{ Cancel(id string) }) func(id string) {
	return func(id string) {
		for _, q := range queues {
			q.Cancel(id)
		}
	}
}
