package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// comeBackTime is for how long a Secret that came from a backup is kept for a resource that may follow it.
const comeBackTime = time.Minute

// orphans are the Secrets of resources that do not exist and that this process never knew, and since when it
// has been seeing them, by the monotonic clock.
type orphans struct {
	mu    sync.Mutex
	since map[string]time.Duration
}

// mayComeBack says for how long to wait for the resource of a Secret that is being deleted. Kubernetes
// deletes a Secret from a backup at once, because its owner reference names a resource that is gone.
func (r *Reconciler) mayComeBack(pair *rotation.Pair) time.Duration {
	r.orphans.mu.Lock()
	defer r.orphans.mu.Unlock()
	if r.queue.knows(types.UID(pair.Owner.UID)) {
		return 0
	}
	now := r.Clock.Monotonic()
	if _, seen := r.orphans.since[pair.UID]; !seen {
		if r.orphans.since == nil {
			r.orphans.since = map[string]time.Duration{}
		}
		r.orphans.since[pair.UID] = now
	}
	return max(0, r.orphans.since[pair.UID]+comeBackTime-now)
}

// forget ends the wait for the resource of a Secret. It is called when the Secret was released, and not before: a
// release that failed must not begin another wait.
func (o *orphans) forget(pair *rotation.Pair) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.since, pair.UID)
}

// releaseFormer lets go of a Secret in the resource's place that belonged to a former resource of this name,
// is of no use to this one, and is being deleted: nobody else would take our finalizer off.
func (r *Reconciler) releaseFormer(ctx context.Context, v *view) error {
	pair := v.pair
	if pair == nil || pair.Controlled || !pair.Deleting || pair.Owner.Name != v.owner.Name || pair.Owner.UID == v.owner.UID {
		return nil
	}
	if err := r.Store.Remove(ctx, pair); err != nil {
		return fmt.Errorf("release the Secret of a former resource: %w", err)
	}
	return nil
}
