package leftovers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Code is a Secret of the operator's that holds a device code.
type Code struct {
	Ref rotation.Ref
	// Orphan reports that it has no controller: the garbage collector leaves it there.
	Orphan bool
}

// CodeCache is where codes are looked for. It may lag behind.
type CodeCache interface {
	// CodesFor are the Secrets that hold device codes for a resource of a name, whether it exists or not.
	CodesFor(ctx context.Context, name types.NamespacedName) ([]Code, error)
}

// CodeAPI is the API server itself, past every cache.
type CodeAPI interface {
	// Get reads a pair Secret live; see rotation.Store.
	Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	// RemoveCode removes the Secret of a device code. One that is gone already is no error.
	RemoveCode(ctx context.Context, ref rotation.Ref) error
}

// Codes removes the Secrets of device codes that nobody needs any more: the login has ended, another code has followed, or
// the resource goes.
type Codes struct {
	Cache CodeCache
	API   CodeAPI
}

// Sweep removes the codes of a resource but the one that its pair Secret names. The cache may be behind, so that the Secret
// is looked at live when there is one to remove.
func (c Codes) Sweep(ctx context.Context, s *scope.Scope) error {
	found, err := c.Cache.CodesFor(ctx, scope.NameOf(s.Token))
	if err != nil || s.Input.Backup { // Of a pair that is just being put back not all is known.
		return err
	}
	kept := c.kept(s.Owner, s.Stored())
	for _, code := range found {
		if !c.isOf(code, s.Owner) || code.Ref == kept {
			continue
		}
		pair, err := c.API.Get(ctx, s.Ref)
		if err == nil && pair.Controlled && pair.Owner.UID == s.Owner.UID && c.kept(s.Owner, &pair.State) == code.Ref {
			continue
		}
		if err != nil && !errors.Is(err, rotation.ErrConflict) && !errors.Is(err, rotation.ErrNotFound) {
			return fmt.Errorf("look whether a device code is still offered: %w", err)
		}
		if err := c.API.RemoveCode(ctx, code.Ref); err != nil {
			return fmt.Errorf("remove a device code: %w", err)
		}
	}
	return nil
}

// kept is the Secret of the code that a person can still enter, by the state of the pair; the zero Ref when there is none.
func (c Codes) kept(owner rotation.Owner, state *rotation.State) rotation.Ref {
	if state == nil || state.Device == nil || state.Device.Ended != "" {
		return rotation.Ref{}
	}
	return owner.CodeRef(state.Device.DeviceCode)
}

// isOf reports whether a code is of a resource. Its name says so, also when the garbage collector has orphaned it.
func (c Codes) isOf(code Code, owner rotation.Owner) bool {
	return strings.HasPrefix(code.Ref.Name, owner.CodePrefix())
}

// RemoveAll removes all codes of a resource that goes, as far as the cache has them.
func (c Codes) RemoveAll(ctx context.Context, owner rotation.Owner) error {
	return c.remove(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}, func(code Code) bool { return c.isOf(code, owner) })
}

// RemoveNamed removes the code that the pair Secret of a resource that goes names. The cache may not have it yet.
func (c Codes) RemoveNamed(ctx context.Context, owner rotation.Owner, state *rotation.State) error {
	ref := c.kept(owner, state)
	if ref == (rotation.Ref{}) {
		return nil
	}
	if err := c.API.RemoveCode(ctx, ref); err != nil {
		return fmt.Errorf("remove a device code: %w", err)
	}
	return nil
}

// removeOrphans removes the codes of a name that no resource bears any more, and that nobody else would remove.
func (c Codes) removeOrphans(ctx context.Context, name types.NamespacedName) error {
	if v1alpha1.OwnerLabel(name.Name) != name.Name {
		return nil // Their label may be that of another resource.
	}
	return c.remove(ctx, name, func(code Code) bool { return code.Orphan })
}

func (c Codes) remove(ctx context.Context, name types.NamespacedName, unwanted func(Code) bool) error {
	found, err := c.Cache.CodesFor(ctx, name)
	if err != nil {
		return fmt.Errorf("look for device codes: %w", err)
	}
	for _, code := range found {
		if !unwanted(code) {
			continue
		}
		if err := c.API.RemoveCode(ctx, code.Ref); err != nil {
			return fmt.Errorf("remove a device code: %w", err)
		}
	}
	return nil
}
