package rotation

import (
	"context"
	"errors"
	"fmt"
)

// Move brings the pair from the Secret of one name to that of another. No token is exchanged. The new Secret is written before the old
// one is removed, and the old one is removed only as it was read; after a crash in between both exist, and calling Move again makes them
// one. settled is the id of an intent in the old one of which the caller knows that nobody is at work on it any more; empty when there is
// none. Errors: ErrNotOwned when a Secret of the new name belongs to somebody else, and ErrConflict when there is another intent; then
// nothing has changed.
func (r *Rotator) Move(ctx context.Context, owner Owner, from, to Ref, settled string) (*Pair, error) {
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
	case old.Intent != nil && old.Intent.ID != settled:
		return nil, ErrConflict // An exchange has begun there since it was looked at. It is settled first.
	case target == nil:
		target, err = r.Store.Create(ctx, copyTo(old, to))
	case target.Deleting || target.Immutable:
		target, err = r.replace(ctx, broughtTogether(target, r.withoutUnsent(owner, old)), target)
	default:
		target, err = r.Store.Update(ctx, target, claimed(target, broughtTogether(target, r.withoutUnsent(owner, old))))
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

// merge makes one of two Secrets of the same resource: what counts of both goes into the second, and the first is removed as it was read.
func (r *Rotator) merge(ctx context.Context, old, into *Pair) error {
	if _, err := r.Store.Update(ctx, into, claimed(into, broughtTogether(into, r.withoutUnsent(into.Owner, old)))); err != nil {
		return fmt.Errorf("bring two Secrets of one pair together: %w", err)
	}
	if err := r.Store.Remove(ctx, old); err != nil {
		return fmt.Errorf("remove the other Secret of the pair: %w", err)
	}
	return nil
}

// broughtTogether is what counts of the Secret of a former name and of one that stands under the new name. Of one pair it was
// the former at which there was work since the other was made: a move that was cut short has left both.
func broughtTogether(target, old *Pair) *Pair {
	content := newest(target, old)
	if content.UID == old.UID {
		return content
	}
	content = withLoginOf(content, old)
	if content.Intent == nil && old.Intent != nil && content.names(old) {
		content.Intent = new(*old.Intent) // Its outcome may be unknown.
	}
	return content
}

// newest is the newer of two copies, of which the one without tokens, if there is one, may hold a login that is just being imported.
func newest(a, b *Pair) *Pair {
	if a.hasTokens() && !b.hasTokens() {
		return newer(b, a)
	}
	return newer(a, b)
}

func (p *Pair) belongsTo(owner Owner) bool { return p.Controlled && p.Owner.UID == owner.UID }
