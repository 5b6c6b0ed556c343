package rotation

import (
	"context"
	"errors"
	"fmt"
)

// Restore puts the pair back where it belongs after somebody has deleted its Secret, or after a replacement that was cut short. No token
// is exchanged. It may be called again after a crash at any of its steps: the pair is in the pair Secret, in the backup, or in both, at
// every moment. Several replicas may be at it at once: whoever relies on one of the two Secrets while it removes the other has just
// written the one, so that nobody who has read it before can remove it.
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
	case live != nil && !live.belongsTo(owner):
		return nil, ErrNotOwned // Another resource may have asked for the same name.
	case backup != nil && !backup.belongsTo(owner):
		return nil, ErrBackupNotOwned
	case backup == nil && live == nil:
		return nil, ErrNotFound
	case backup == nil && !live.Deleting:
		return live, nil
	case backup == nil:
		return r.replace(ctx, live, live)
	}

	var restored *Pair
	switch {
	case live == nil:
		restored, err = r.Store.Create(ctx, copyTo(backup, ref))
	case live.Deleting:
		return r.replace(ctx, r.withoutUnsent(owner, live), live)
	default:
		content := newer(r.withoutUnsent(owner, live), backup)
		restored, err = r.Store.Update(ctx, live, claimed(live, content))
		if errors.Is(err, ErrImmutable) {
			return r.replace(ctx, live, live)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("put the pair back: %w", err)
	}
	if err := r.Store.Remove(ctx, backup); err != nil {
		return nil, fmt.Errorf("remove the backup of the restored pair: %w", err)
	}
	return restored, nil
}

// Adopt makes the owner the controller of a pair that was retained for it, with a login that it has begun by itself and that stands in
// its backup, while a Secret is replaced or was removed. Where a pair of its own stands there, it is ErrNotOwned: that one is the newer.
func (r *Rotator) Adopt(ctx context.Context, owner Owner, orphan *Pair) (*Pair, error) {
	backup, err := r.getOrNil(ctx, owner.BackupRef())
	if err != nil {
		return nil, fmt.Errorf("look for a backup beside the retained pair: %w", err)
	}
	next := orphan.Clone()
	if backup != nil && backup.belongsTo(owner) {
		if backup.hasTokens() && orphan.State.Owner != owner.UID {
			return nil, ErrNotOwned
		}
		next = withLoginOf(orphan, backup)
	}
	next.Owner = owner
	next.Controlled, next.Orphan = true, false
	next.State.Owner, next.State.OwnerName = owner.UID, owner.Name
	next.State.Retained, next.State.RetainedAs, next.State.RetainedBy = false, "", ""
	adopted, err := r.Store.Update(ctx, orphan, next)
	if err != nil {
		return nil, fmt.Errorf("take up the retained pair: %w", err)
	}
	if next.Intent != nil {
		r.markSent(owner, next.Intent) // What was sent under it for the former resource is forgotten with that one.
	}
	return adopted, nil
}

// replace puts pair in the place of old, a Secret that cannot hold it: immutable, or being deleted. The backup is written first and
// removed last. It returns what it has put there, which is not pair if a backup was there already with something newer.
func (r *Rotator) replace(ctx context.Context, pair, old *Pair) (*Pair, error) {
	backup, err := r.keepBackup(ctx, pair)
	if err != nil {
		return nil, fmt.Errorf("back up the pair before its Secret is replaced: %w", err)
	}
	if err := r.Store.Remove(ctx, old); err != nil {
		return nil, fmt.Errorf("remove the Secret that is replaced: %w", err)
	}
	placed, err := r.Store.Create(ctx, copyTo(backup, old.Ref))
	if err != nil {
		return nil, fmt.Errorf("create the replacement: %w", err)
	}
	if err := r.Store.Remove(ctx, backup); err != nil {
		return nil, fmt.Errorf("remove the backup after the replacement: %w", err)
	}
	return placed, nil
}

// keepBackup makes sure that the backup holds this pair or a newer one, and returns it.
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
	if !backup.belongsTo(pair.Owner) {
		return nil, ErrBackupNotOwned
	}
	return r.Store.Update(ctx, backup, claimed(backup, newer(pair, backup)))
}

// newer is the newer of two copies, a if they are equal: the one that is bound to its owner, the one with a later
// login, or else with more commits. A copy without tokens is newer than nothing. b is the one that was there first, so
// that a login which is just being imported into a is taken along: the reply to it is still to be committed.
func newer(a, b *Pair) *Pair {
	of, other := newerOf(a, b), b
	if of.Version == b.Version && of.Ref == b.Ref {
		other = a
	}
	web, login := of.State.Web.Merged(other.State.Web), of.State.Login.Merged(other.State.Login)
	if web != of.State.Web || login != of.State.Login {
		of = of.Clone()
		of.State.Web, of.State.Login = web, login
	}
	return of
}

func newerOf(a, b *Pair) *Pair {
	switch {
	case !a.hasTokens() && !b.hasTokens():
		return withIntentOf(a, b)
	case !b.hasTokens():
		return a
	case !a.hasTokens():
		return withLoginOf(b, a)
	case a.isBound() && !b.isBound():
		return a
	case b.isBound() && !a.isBound():
		return withLoginOf(b, a)
	case a.names(b) && a.isWhole() && !b.isWhole():
		return a // Of one pair the copy counts whose tokens nobody has altered.
	case a.names(b) && b.isWhole() && !a.isWhole():
		return withLoginOf(b, a)
	case a.State.Verdict != nil && b.State.Verdict == nil && b.State.hasNewLogin(&a.State):
		return withLoginOf(b, a) // Neither may know of the other's login; then the one that can go on counts.
	case a.State.hasNewLogin(&b.State):
		return a
	case b.State.hasNewLogin(&a.State) || b.State.Revision > a.State.Revision:
		return withLoginOf(b, a)
	case a.State.isGuessed() && !b.State.isGuessed():
		return withLoginOf(b, a)
	default:
		return a
	}
}

// withoutUnsent is a first fence of this very process without its login, if nothing was sent under it or before it: it has
// met another copy, and what that holds may be a later login. The seed Secret tells.
func (r *Rotator) withoutUnsent(owner Owner, live *Pair) *Pair {
	if live.hasTokens() || live.Intent == nil || live.Intent.Unresolved > 0 || !r.isUntouched(owner, live.Intent) {
		return live
	}
	next := live.Clone()
	next.State.Web = next.State.Web.Sending(live.Intent.Attempt, "")
	next.Intent, next.State.SeedVersion = nil, ""
	next.endLogin("") // One that waits in the data still does.
	return next
}

// withIntentOf is a first fence that has met another one for the same login. Either of them may have been used, so
// that everybody waits anew, for a holder that nobody is.
func withIntentOf(pair, other *Pair) *Pair {
	if pair.Intent == nil || other.Intent == nil || pair.Intent.Spends != other.Intent.Spends || pair.Intent.ID == other.Intent.ID {
		return pair
	}
	next := pair.Clone()
	next.Intent.ID += "+" + other.Intent.ID
	next.Intent.Holder = Holder{}
	next.Intent.Unresolved = max(pair.Intent.Unresolved, other.Intent.Unresolved)
	return next
}

// withLoginOf is the pair with the login that is just being imported into another copy, or waits there.
func withLoginOf(pair, other *Pair) *Pair {
	next, login := pair.Clone(), other.LoginFromSeed()
	next.State.Web, next.State.Login = pair.State.Web.Merged(other.State.Web), pair.State.Login.Merged(other.State.Login)
	if waiting := other.SeedToken.Fingerprint(); waiting != "" && pair.SeedToken.IsZero() && !pair.State.HasImported(waiting) {
		next.SeedToken = other.SeedToken
		if login == "" && other.Intent != nil && other.Intent.Spends == waiting {
			login = waiting
		}
	}
	switch {
	case login == "" || login == pair.LoginFromSeed() || pair.State.HasImported(login):
	case next.Intent == nil:
		next.Intent, next.State.SeedVersion = new(*other.Intent), other.State.SeedVersion
	default:
		next.State.Unanswered = next.State.Unanswered.With(login) // Another exchange is under way.
	}
	next.endLogin("")
	return next
}

// isBound reports whether the chain belongs to the Secret's owner, and was not restored from elsewhere and never proven.
func (p *Pair) isBound() bool { return p.State.Owner == p.Owner.UID }

func (p *Pair) hasTokens() bool { return !p.RefreshToken.IsZero() || !p.AccessToken.IsZero() }

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

// claimed is the existing object with the pair's content, and a change in any case: to store it takes the
// object out of the hands of everybody who has read it before.
func claimed(existing, pair *Pair) *Pair {
	next := pair.Clone()
	next.State.Claims = max(existing.State.Claims, pair.State.Claims) + 1
	next.Owner, next.Controlled, next.Orphan = existing.Owner, existing.Controlled, existing.Orphan
	next.Ref, next.UID, next.Version = existing.Ref, existing.UID, existing.Version
	next.Deleting, next.Immutable = existing.Deleting, existing.Immutable
	next.Labels, next.Annotations = existing.Labels, existing.Annotations
	return next
}
