package leftovers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// LoginCodesFor are the Secrets that bring codes of logins by the web flow for a resource, by their names.
	LoginCodesFor(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error)
}

// CodeAPI is the API server itself, past every cache.
type CodeAPI interface {
	// Get reads a pair Secret live; see rotation.Store.
	Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	// RemoveCode removes the Secret of a device code, of a verifier, or of a code that was brought back. One that is gone already is no error.
	RemoveCode(ctx context.Context, ref rotation.Ref) error
}

// Codes removes the Secrets of logins that nobody needs any more: device codes, and verifiers and codes of the web flow. The login
// has ended, another one has followed, or the resource goes.
type Codes struct {
	Cache CodeCache
	API   CodeAPI
}

// maxSwept is how many Secrets are removed at a time: whoever may create Secrets can bring any number of codes, and others are to have
// their turn. The events of those that go have the rest removed.
const maxSwept = 20

// Sweep removes the codes of a resource but those that its pair Secret names. The cache may be behind, so that the Secret
// is looked at live when there is one to remove.
func (c Codes) Sweep(ctx context.Context, s *scope.Scope) error {
	found, err := c.find(ctx, s.Owner)
	if err != nil || s.Input.Backup { // Of a pair that is just being put back not all is known.
		return err
	}
	found = without(found, named(s.Owner, s.Stored(), s.Now))
	if len(found) == 0 {
		return nil
	}
	switch pair, err := c.API.Get(ctx, s.Ref); {
	case err == nil && pair.Controlled && pair.Owner.UID == s.Owner.UID:
		found = without(found, named(s.Owner, &pair.State, s.Now))
	case err != nil && !errors.Is(err, rotation.ErrConflict) && !errors.Is(err, rotation.ErrNotFound):
		return fmt.Errorf("look whether a code is still waited for: %w", err)
	}
	return c.removeEach(ctx, found[:min(len(found), maxSwept)])
}

// without are the Secrets that are not kept.
func without(found, kept []rotation.Ref) []rotation.Ref {
	return slices.DeleteFunc(found, func(ref rotation.Ref) bool { return slices.Contains(kept, ref) })
}

// named are the Secrets of the logins that a person can still go on with, by the state of the pair: of the web flow until the time of
// the attempt is over, as a code may just be about to be redeemed.
func named(owner rotation.Owner, state *rotation.State, now time.Time) (refs []rotation.Ref) {
	if state == nil {
		return nil
	}
	if device := state.Device; device != nil && device.Ended == "" {
		refs = append(refs, owner.CodeRef(device.DeviceCode))
	}
	if web := state.Web; web != nil && web.Ended == "" && !web.IsOver(now) {
		refs = append(refs, owner.CodeRef(web.Verifier), rotation.Ref{Namespace: owner.Namespace, Name: v1alpha1.LoginCodeSecretName(web.ID)})
	}
	return refs
}

// find are the Secrets of logins of a resource.
func (c Codes) find(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error) {
	codes, err := c.Cache.CodesFor(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
	if err != nil {
		return nil, fmt.Errorf("look for codes: %w", err)
	}
	refs, err := c.Cache.LoginCodesFor(ctx, owner)
	if err != nil {
		return nil, fmt.Errorf("look for codes that were brought back: %w", err)
	}
	refs = slices.Clone(refs)
	for _, code := range codes {
		if c.isOf(code, owner) {
			refs = append(refs, code.Ref)
		}
	}
	return refs, nil
}

// isOf reports whether a code is of a resource. Its name says so, also when the garbage collector has orphaned it.
func (c Codes) isOf(code Code, owner rotation.Owner) bool {
	return strings.HasPrefix(code.Ref.Name, owner.CodePrefix())
}

// RemoveAll removes all codes of a resource that goes, as far as the cache has them.
func (c Codes) RemoveAll(ctx context.Context, owner rotation.Owner) error {
	found, err := c.find(ctx, owner)
	if err != nil {
		return err
	}
	return c.removeEach(ctx, found)
}

// RemoveNamed removes the codes that the pair Secret of a resource that goes names. The cache may not have them yet. A code that
// somebody brings back later goes with the resource, if its Secret says whose it is.
func (c Codes) RemoveNamed(ctx context.Context, owner rotation.Owner, state *rotation.State) error {
	refs := named(owner, &rotation.State{Device: state.Device}, time.Time{})
	if state.Web != nil && state.Web.Verifier != "" {
		refs = append(refs, owner.CodeRef(state.Web.Verifier))
	}
	return c.removeEach(ctx, refs)
}

func (c Codes) removeEach(ctx context.Context, refs []rotation.Ref) error {
	for _, ref := range refs {
		if err := c.API.RemoveCode(ctx, ref); err != nil {
			return fmt.Errorf("remove a code: %w", err)
		}
	}
	return nil
}

// removeOrphans removes the codes of a name that no resource bears any more, and that nobody else would remove.
func (c Codes) removeOrphans(ctx context.Context, name types.NamespacedName) error {
	if v1alpha1.OwnerLabel(name.Name) != name.Name {
		return nil // Their label may be that of another resource.
	}
	found, err := c.Cache.CodesFor(ctx, name)
	if err != nil {
		return fmt.Errorf("look for codes: %w", err)
	}
	found = slices.DeleteFunc(slices.Clone(found), func(code Code) bool { return !code.Orphan })
	for _, code := range found {
		if err := c.removeEach(ctx, []rotation.Ref{code.Ref}); err != nil {
			return err
		}
	}
	return nil
}
