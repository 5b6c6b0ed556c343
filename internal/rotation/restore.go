package rotation

import (
	"context"
	"errors"
	"fmt"
)

// Restore puts the pair back where it belongs after somebody has deleted its Secret, or after a
// replacement that was cut short. No token is exchanged. It may be called again after a crash at any of
// its steps: the pair is in the pair Secret, in the backup, or in both, at every moment.
func (r *Rotator) Restore(ctx context.Context, owner Owner, ref Ref) (*Pair, error) {
	live, err := r.getOrNil(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read the Secret to restore: %w", err)
	}
	backup, err := r.getOrNil(ctx, owner.BackupRef())
	if err != nil {
		return nil, fmt.Errorf("read the backup: %w", err)
	}
	switch {
	case live != nil && !live.Controlled:
		return nil, ErrNotOwned
	case backup == nil && live == nil:
		return nil, ErrNotFound
	case backup == nil && !live.Deleting:
		return live, nil
	case backup == nil:
		return r.replaced(ctx, live, live)
	}

	newest := backup
	if live != nil && live.State.Revision >= backup.State.Revision {
		newest = live
	}
	switch {
	case live == nil:
		live, err = r.Store.Create(ctx, copyTo(newest, ref))
	case live.Deleting:
		return r.replaced(ctx, newest, live)
	case newest == backup:
		live, err = r.Store.Update(ctx, live, onto(live, backup))
		if errors.Is(err, ErrImmutable) {
			return r.replaced(ctx, newest, live)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("put the pair back: %w", err)
	}
	if err := r.Store.Remove(ctx, backup); err != nil {
		return nil, fmt.Errorf("remove the backup of the restored pair: %w", err)
	}
	return live, nil
}

// Adopt makes the owner the controller of a pair that was retained for it.
func (r *Rotator) Adopt(ctx context.Context, owner Owner, orphan *Pair) (*Pair, error) {
	next := orphan.Clone()
	next.Owner = owner
	next.Controlled, next.Orphan = true, false
	next.State.Owner, next.State.OwnerName = owner.UID, owner.Name
	next.State.Retained = false
	adopted, err := r.Store.Update(ctx, orphan, next)
	if err != nil {
		return nil, fmt.Errorf("take up the retained pair: %w", err)
	}
	return adopted, nil
}

func (r *Rotator) replaced(ctx context.Context, pair, old *Pair) (*Pair, error) {
	if err := r.replace(ctx, pair, old); err != nil {
		return nil, err
	}
	return r.Store.Get(ctx, old.Ref)
}

// replace puts pair in the place of old, a Secret that cannot hold it: immutable, or being deleted. The
// backup is written first and removed last.
func (r *Rotator) replace(ctx context.Context, pair, old *Pair) error {
	backup, err := r.keepBackup(ctx, pair)
	if err != nil {
		return fmt.Errorf("back up the pair before its Secret is replaced: %w", err)
	}
	if err := r.Store.Remove(ctx, old); err != nil {
		return fmt.Errorf("remove the Secret that is replaced: %w", err)
	}
	if _, err := r.Store.Create(ctx, copyTo(pair, old.Ref)); err != nil {
		return fmt.Errorf("create the replacement: %w", err)
	}
	if err := r.Store.Remove(ctx, backup); err != nil {
		return fmt.Errorf("remove the backup after the replacement: %w", err)
	}
	return nil
}

// keepBackup makes sure that the backup holds this pair or a newer one.
func (r *Rotator) keepBackup(ctx context.Context, pair *Pair) (*Pair, error) {
	ref := pair.Owner.BackupRef()
	backup, err := r.Store.Create(ctx, copyTo(pair, ref))
	if !errors.Is(err, ErrExists) {
		return backup, err
	}
	backup, err = r.Store.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !backup.Controlled {
		return nil, ErrNotOwned
	}
	if backup.State.Revision > pair.State.Revision {
		return backup, nil
	}
	return r.Store.Update(ctx, backup, onto(backup, pair))
}

func (r *Rotator) getOrNil(ctx context.Context, ref Ref) (*Pair, error) {
	pair, err := r.Store.Get(ctx, ref)
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // absence is an ordinary answer here
	}
	return pair, err
}

// copyTo is a new object with the pair's content.
func copyTo(pair *Pair, ref Ref) *Pair {
	fresh := pair.Clone()
	fresh.Ref = ref
	fresh.UID, fresh.Version = "", ""
	fresh.Deleting, fresh.Immutable = false, false
	return fresh
}

// onto is the existing object with the pair's content.
func onto(existing, pair *Pair) *Pair {
	next := pair.Clone()
	next.Ref, next.UID, next.Version = existing.Ref, existing.UID, existing.Version
	next.Deleting, next.Immutable = existing.Deleting, existing.Immutable
	next.Labels, next.Annotations = existing.Labels, existing.Annotations
	return next
}
