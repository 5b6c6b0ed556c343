package rotation

import (
	"context"
	"errors"
	"fmt"
)

// Move brings the pair from the Secret of one name to that of another. No token is exchanged. The new Secret
// is written before the old one is removed, and the old one is removed only as it was read; after a crash in
// between both exist, and calling Move again takes the newer of the two. Errors: ErrNotOwned when a Secret of
// the new name belongs to somebody else; then nothing has changed.
func (r *Rotator) Move(ctx context.Context, owner Owner, from, to Ref) (*Pair, error) {
	old, err := r.getOrNil(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("read the Secret that moves: %w", err)
	}
	target, err := r.getOrNil(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("read the Secret under the new name: %w", err)
	}
	switch {
	case old == nil && target == nil:
		return nil, ErrNotFound
	case old != nil && !old.belongsTo(owner), target != nil && !target.belongsTo(owner):
		return nil, ErrNotOwned
	case old == nil:
		return target, nil
	case target == nil:
		target, err = r.Store.Create(ctx, copyTo(old, to))
	case target.Deleting || target.Immutable:
		target, err = r.replace(ctx, newer(target, old), target)
	default:
		target, err = r.Store.Update(ctx, target, claimed(target, newer(target, old)))
	}
	if errors.Is(err, ErrExists) {
		return nil, ErrConflict // Somebody was faster; whose it is the next look tells.
	}
	if err != nil {
		return nil, fmt.Errorf("write the pair under the new name: %w", err)
	}
	if err := r.Store.Remove(ctx, old); err != nil {
		return nil, fmt.Errorf("remove the Secret of the former name: %w", err)
	}
	return target, nil
}

func (p *Pair) belongsTo(owner Owner) bool { return p.Controlled && p.Owner.UID == owner.UID }
