package lifecycle

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// comeBackTime is for how long a Secret that came from a backup is kept for a resource that may follow it.
const comeBackTime = time.Minute

// orphan is what is remembered of a Secret whose resource does not exist and was never known to this process,
// by the UID of the Secret: each one that comes from a backup is kept anew.
type orphan struct {
	seen bool
	// since is when it was first seen, by the monotonic clock.
	since time.Duration
}

// releaser takes our finalizer off Secrets that are being deleted and whose resource is gone.
type releaser struct {
	cache Cache
	api   interface {
		resourceReader
		// Remove is that of rotation.Store.
		Remove(ctx context.Context, pair *rotation.Pair) error
	}
	registry  *registry
	orphans   memory.Slot[orphan]
	leftovers leftovers
	clock     rotation.Clock
	codes     codes
}

// changed is told of each Secret that the cache shows anew, or differently.
func (r *releaser) changed(pair *rotation.Pair) { r.leftovers.see(pair, false) }

// removed is told of each Secret that is gone.
func (r *releaser) removed(pair *rotation.Pair) {
	r.leftovers.see(pair, true)
	r.orphans.Drop(types.UID(pair.UID))
}

// gone deals with a resource that does not exist any more: what is remembered of it is dropped, and its Secrets
// are released. Its finalizer should have kept it until they were dealt with: somebody took it off by force, and
// our finalizer would hold them for ever. A Secret of a resource that this process never knew may come from a
// backup, and its resource as well in a moment: it is kept for that long. One that was let go of bears our finalizer
// when somebody took that of its resource off in between. It returns when to look again; zero when only a change can make a
// difference.
func (r *releaser) gone(ctx context.Context, name types.NamespacedName) (again time.Duration, err error) {
	r.registry.forgetAll(name) // That it was known stays: its Secret need not wait for it to come back.
	secrets, err := r.cache.SecretsFor(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("look for Secrets of a resource that is gone: %w", err)
	}
	for _, pair := range secrets {
		left := isLeft(pair, name.Name)
		if !pair.Deleting || !isForsaken(pair, name.Name) && (!pair.Controlled || pair.Owner.Name != name.Name) {
			continue
		}
		token, err := r.api.Resource(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("look whether the resource is gone: %w", err)
		}
		if token != nil {
			return 0, nil // What becomes of the Secret is for the resource of that name now.
		}
		if !left {
			if wait := r.mayComeBack(pair); wait > 0 {
				again = max(again, wait)
				continue
			}
		}
		if err := r.api.Remove(ctx, pair); err != nil {
			return 0, fmt.Errorf("release a Secret whose resource is gone: %w", err)
		}
		r.orphans.Drop(types.UID(pair.UID))
	}
	return again, r.codes.removeOrphans(ctx, name)
}

// mayComeBack says for how long to wait for the resource of a Secret that is being deleted. Kubernetes deletes
// a Secret from a backup at once, because its owner reference names a resource that is gone.
func (r *releaser) mayComeBack(pair *rotation.Pair) (wait time.Duration) {
	owner := pair.Owner.UID
	if pair.Orphan {
		owner = pair.State.Owner
	}
	if r.registry.knows(types.UID(owner)) {
		return 0
	}
	mono := r.clock.Monotonic()
	r.orphans.With(types.UID(pair.UID), func(o *orphan) {
		if !o.seen {
			*o = orphan{seen: true, since: mono}
		}
		wait = max(0, o.since+comeBackTime-mono)
	})
	return wait
}

// releaseFormer releases a Secret in the resource's place that belonged to a former resource of this name, or was let go of
// by it, is of no use to this one, and is being deleted: nobody else would take our finalizer off.
func (r *releaser) releaseFormer(ctx context.Context, s *scope.Scope) error {
	pair := s.Pair
	if pair == nil || pair.Controlled || !pair.Deleting {
		return nil
	}
	if !isOfNoUse(pair, s.Owner) && (pair.Owner.Name != s.Owner.Name || pair.Owner.UID == s.Owner.UID) {
		return nil
	}
	if now, err := r.bearsName(ctx, s); !now || err != nil {
		return err
	}
	return r.api.Remove(ctx, pair)
}
