package leftovers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// ComeBackTime is for how long a Secret that came from a backup is kept for a resource that may follow it.
const ComeBackTime = time.Minute

// orphan is what is remembered of a Secret whose resource does not exist and was never known to this process,
// by the UID of the Secret: each one that comes from a backup is kept anew.
type orphan struct {
	seen bool
	// since is when it was first seen, by the monotonic clock.
	since time.Duration
}

// Cache is where Secrets are looked for. It may lag behind.
type Cache interface {
	CodeCache

	// Secret is the metadata of a Secret of the operator's; nil when the cache has none of that name.
	Secret(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	// SecretsFor are the pair Secrets and backups that were made for a resource of a name, whether it exists or not.
	SecretsFor(ctx context.Context, name types.NamespacedName) ([]*rotation.Pair, error)
}

// API is the API server itself, past every cache.
type API interface {
	// Resource reads a resource; nil when there is none.
	Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error)
	// Remove takes the finalizer off a Secret and deletes it; see rotation.Store.
	Remove(ctx context.Context, pair *rotation.Pair) error
}

// Registry is which resources this process knows.
type Registry interface {
	// ForgetAll forgets the resources of a name that no work is under way for. That they were known is kept.
	ForgetAll(name types.NamespacedName)
	// Knows reports whether a resource is known, or is remembered as gone.
	Knows(uid types.UID) bool
}

// Options are what a Releaser is made of.
type Options struct {
	Cache    Cache
	API      API
	Registry Registry
	Memory   *memory.Store
	Clock    rotation.Clock
	Codes    Codes
}

// Releaser takes our finalizer off Secrets that are being deleted and whose resource is gone.
type Releaser struct {
	cache    Cache
	api      API
	registry Registry
	orphans  memory.Slot[orphan]
	deleting deleting
	clock    rotation.Clock
	codes    Codes
}

// NewReleaser makes a Releaser.
func NewReleaser(o Options) *Releaser {
	return &Releaser{
		cache: o.Cache, api: o.API, registry: o.Registry, orphans: memory.NewSlot[orphan](o.Memory), clock: o.Clock, codes: o.Codes,
	}
}

// Changed is told of each Secret that the cache shows anew, or differently.
func (r *Releaser) Changed(pair *rotation.Pair) { r.deleting.see(pair, false) }

// Removed is told of each Secret that is gone.
func (r *Releaser) Removed(pair *rotation.Pair) {
	r.deleting.see(pair, true)
	r.orphans.Drop(types.UID(pair.UID))
}

// Gone deals with a resource that does not exist any more: what is remembered of it is dropped, and its Secrets
// are released. Its finalizer should have kept it until they were dealt with: somebody took it off by force, and
// our finalizer would hold them for ever. A Secret of a resource that this process never knew may come from a
// backup, and its resource as well in a moment: it is kept for that long. One that was let go of bears our finalizer
// when somebody took that of its resource off in between. It returns when to look again; zero when only a change can make a
// difference.
func (r *Releaser) Gone(ctx context.Context, name types.NamespacedName) (again time.Duration, err error) {
	r.registry.ForgetAll(name) // That it was known stays: its Secret need not wait for it to come back.
	secrets, err := r.cache.SecretsFor(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("look for Secrets of a resource that is gone: %w", err)
	}
	for _, pair := range secrets {
		left := IsLeft(pair, name.Name)
		if !pair.Deleting || !IsForsaken(pair, name.Name) && (!pair.Controlled || pair.Owner.Name != name.Name) {
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
func (r *Releaser) mayComeBack(pair *rotation.Pair) (wait time.Duration) {
	owner := pair.Owner.UID
	if pair.Orphan {
		owner = pair.State.Owner
	}
	if r.registry.Knows(types.UID(owner)) {
		return 0
	}
	mono := r.clock.Monotonic()
	r.orphans.With(types.UID(pair.UID), func(o *orphan) {
		if !o.seen {
			*o = orphan{seen: true, since: mono}
		}
		wait = max(0, o.since+ComeBackTime-mono)
	})
	return wait
}

// ReleaseFormer releases a Secret in the resource's place that belonged to a former resource of this name, or was let go of
// by it, is of no use to this one, and is being deleted: nobody else would take our finalizer off.
func (r *Releaser) ReleaseFormer(ctx context.Context, s *scope.Scope) error {
	pair := s.Pair
	if pair == nil || pair.Controlled || !pair.Deleting {
		return nil
	}
	if !IsOfNoUse(pair, s.Owner) && (pair.Owner.Name != s.Owner.Name || pair.Owner.UID == s.Owner.UID) {
		return nil
	}
	if now, err := r.bearsName(ctx, s); !now || err != nil {
		return err
	}
	return r.api.Remove(ctx, pair)
}

// Release releases the Secrets of former resources of this name that are being deleted. What stands where the
// pair is, or would be, is left to Decide, which may take it over. What stands in the way of a pair that is to move is not.
func (r *Releaser) Release(ctx context.Context, s *scope.Scope) error {
	for _, ref := range r.deleting.of(scope.NameOf(s.Token)) {
		pair, err := r.cache.Secret(ctx, ref)
		if err != nil {
			return err
		}
		if pair == nil || !pair.Deleting || !pair.Controlled && !IsOfNoUse(pair, s.Owner) || pair.Owner.UID == s.Owner.UID || ref == s.Ref {
			continue
		}
		if now, err := r.bearsName(ctx, s); !now || err != nil {
			return err
		}
		if err := r.api.Remove(ctx, pair); err != nil {
			return fmt.Errorf("release a Secret of a former resource: %w", err)
		}
	}
	return nil
}

// bearsName reports whether the resource is the one that bears its name now. The cache may be behind, and the Secret of a later
// one look like that of a former one: it is released only for the sake of a resource that is there now.
func (r *Releaser) bearsName(ctx context.Context, s *scope.Scope) (bool, error) {
	live, err := r.api.Resource(ctx, scope.NameOf(s.Token))
	if err != nil {
		return false, fmt.Errorf("look whose a Secret that is being deleted is: %w", err)
	}
	return live != nil && live.UID == s.Token.UID, nil
}
