package rotation

import (
	"context"
	"fmt"
)

// RolledBack stands in the place of State.Owner when a Secret was put back to an older state: the pair is nobody's until it is proven.
const RolledBack = "rolled-back"

// Reclaim makes the owner the controller of a pair Secret that was restored from a backup. The pair stays bound to its former resource,
// so nothing is exchanged until it is proven. What was under way when the backup was made is not under way now, and is dropped.
// Kubernetes deletes what belongs to a resource that is gone; a Secret that is being deleted for that reason is replaced.
func (r *Rotator) Reclaim(ctx context.Context, owner Owner, former *Pair) (*Pair, error) {
	live, err := r.Store.Get(ctx, former.Ref)
	if err != nil {
		return nil, fmt.Errorf("read the restored Secret: %w", err)
	}
	if live.UID != former.UID || live.Version != former.Version {
		return nil, ErrConflict
	}
	live.Controlled = false // Its controller is gone.
	next := live.Clone()
	next.Owner, next.Controlled, next.Orphan = owner, true, false
	next.ForgetLogin()
	next.Intent = nil
	next.State.Device, next.State.Restored = nil, true
	var reclaimed *Pair
	if live.Deleting || live.Immutable {
		reclaimed, err = r.replace(ctx, next, live)
	} else {
		reclaimed, err = r.Store.Update(ctx, live, next)
	}
	if err != nil {
		return nil, fmt.Errorf("take hold of the restored Secret: %w", err)
	}
	return reclaimed, nil
}
