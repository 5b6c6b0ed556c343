package lifecycle

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
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

// Gone deals with a resource that does not exist any more: what is remembered of it is dropped, and its Secrets
// are released. Its finalizer should have kept it until they were dealt with: somebody took it off by force, and
// our finalizer would hold them for ever. A Secret of a resource that this process never knew may come from a
// backup, and its resource as well in a moment: it is kept for that long. Gone returns when to look again; zero
// when only a change can make a difference.
func (c *Controller) Gone(ctx context.Context, name types.NamespacedName) (again time.Duration, err error) {
	known := c.memory.UIDs(name)
	for _, uid := range known {
		if !c.runner.Busy(uid) {
			// That it was known is not forgotten: its Secret need not wait for it to come back.
			c.forget(uid)
			c.memory.Learn(uid, name)
		}
	}
	secrets, err := c.cache.SecretsFor(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("look for Secrets of a resource that is gone: %w", err)
	}
	for _, pair := range secrets {
		if !pair.Deleting || !pair.Controlled || pair.Owner.Name != name.Name {
			continue
		}
		token, err := c.api.Resource(ctx, name)
		if err != nil {
			return 0, fmt.Errorf("look whether the resource is gone: %w", err)
		}
		if token != nil {
			return 0, nil // What becomes of the Secret is for the resource of that name now.
		}
		if wait := c.mayComeBack(pair); wait > 0 {
			again = max(again, wait)
			continue
		}
		if err := c.api.Remove(ctx, pair); err != nil {
			return 0, fmt.Errorf("release a Secret whose resource is gone: %w", err)
		}
		c.orphans.Drop(types.UID(pair.UID))
	}
	return again, nil
}

// mayComeBack says for how long to wait for the resource of a Secret that is being deleted. Kubernetes deletes
// a Secret from a backup at once, because its owner reference names a resource that is gone.
func (c *Controller) mayComeBack(pair *rotation.Pair) (wait time.Duration) {
	if _, known := c.memory.Name(types.UID(pair.Owner.UID)); known {
		return 0
	}
	mono := c.clock.Monotonic()
	c.orphans.With(types.UID(pair.UID), func(o *orphan) {
		if !o.seen {
			*o = orphan{seen: true, since: mono}
		}
		wait = max(0, o.since+comeBackTime-mono)
	})
	return wait
}

// releaseFormer releases a Secret in the resource's place that belonged to a former resource of this name, is
// of no use to this one, and is being deleted: nobody else would take our finalizer off.
func (c *Controller) releaseFormer(ctx context.Context, s *scope.Scope) error {
	pair := s.Pair
	if pair == nil || pair.Controlled || !pair.Deleting || pair.Owner.Name != s.Owner.Name || pair.Owner.UID == s.Owner.UID {
		return nil
	}
	return c.api.Remove(ctx, pair)
}
