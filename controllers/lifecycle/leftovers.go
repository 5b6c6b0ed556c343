package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// leftovers are the pair Secrets and backups that are being deleted, by the name of the resource that they were
// made for. Those of a former resource of a name are of no use to the one that bears it now, and nobody but us
// takes our finalizer off them.
//
// Whose a Secret is stands in its annotations, where anybody can write, and write something else each time: a Secret stands
// under one name, the last one.
type leftovers struct {
	mu     sync.Mutex
	byName map[types.NamespacedName][]rotation.Ref
	nameOf map[rotation.Ref]types.NamespacedName
}

// maxName is how long the name of a resource can be.
const maxName = 253

// see notes a Secret as the cache shows it now, or that it is gone.
func (l *leftovers) see(pair *rotation.Pair, gone bool) {
	name, ok := OwnerOf(pair)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(pair.Ref)
	if gone || !ok || len(name.Name) > maxName || !pair.Deleting || !pair.Controlled && !isForsaken(pair, name.Name) {
		return
	}
	if l.byName == nil {
		l.byName, l.nameOf = map[types.NamespacedName][]rotation.Ref{}, map[rotation.Ref]types.NamespacedName{}
	}
	l.byName[name], l.nameOf[pair.Ref] = append(l.byName[name], pair.Ref), name
}

// drop forgets a Secret.
func (l *leftovers) drop(secret rotation.Ref) {
	name, known := l.nameOf[secret]
	if !known {
		return
	}
	delete(l.nameOf, secret)
	l.byName[name] = slices.DeleteFunc(l.byName[name], func(ref rotation.Ref) bool { return ref == secret })
	if len(l.byName[name]) == 0 {
		delete(l.byName, name)
	}
}

func (l *leftovers) of(name types.NamespacedName) []rotation.Ref {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.byName[name])
}

// releaseLeftovers releases the Secrets of former resources of this name that are being deleted. What stands where the
// pair is, or would be, is left to Decide, which may take it over. What stands in the way of a pair that is to move is not.
func (r *releaser) releaseLeftovers(ctx context.Context, s *scope.Scope) error {
	for _, ref := range r.leftovers.of(scope.NameOf(s.Token)) {
		pair, err := r.cache.Secret(ctx, ref)
		if err != nil {
			return err
		}
		if pair == nil || !pair.Deleting || !pair.Controlled && !isOfNoUse(pair, s.Owner) || pair.Owner.UID == s.Owner.UID || ref == s.Ref {
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
func (r *releaser) bearsName(ctx context.Context, s *scope.Scope) (bool, error) {
	live, err := r.api.Resource(ctx, scope.NameOf(s.Token))
	if err != nil {
		return false, fmt.Errorf("look whose a Secret that is being deleted is: %w", err)
	}
	return live != nil && live.UID == s.Token.UID, nil
}
