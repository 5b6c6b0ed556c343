package rotation

import (
	"context"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Proof is what GitHub says of the access token of a pair that was restored from a backup, or copied from
// another cluster. An exchange ends both tokens of a pair, so as long as the access token is alive nobody has
// exchanged the refresh token that came with it, and the pair is the current one.
type Proof int

const (
	// ProofNone: GitHub was not asked yet.
	ProofNone Proof = iota
	// ProofAlive: the access token works, so the pair is the current one.
	ProofAlive
	// ProofDead: the access token does not work. It may have expired, or the pair is not the current one.
	ProofDead
)

// provable reports whether GitHub can be asked for a proof: not about an access token that has expired.
func (in Input) provable() bool {
	state := &in.Pair.State
	return state.HasToken() && state.App == in.App && (!state.Expires() || in.Now.Before(state.ExpiresAt))
}

// restored recognises a pair Secret that belonged to a former resource of this name and App, and came back
// from a backup: with the owner reference to that resource, or without any. A pair that was retained is
// another matter, see there.
func restored(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.Controlled || in.Pair.isRetained() {
		return Decision{}, false
	}
	former := in.Pair.Orphan || (in.Pair.Owner.Name == in.Owner.Name && in.Pair.Owner.UID != in.Owner.UID)
	if !former || in.Pair.State.OwnerName != in.Owner.Name || in.Pair.State.App != in.App {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionReclaim}), true
}

// Reclaim makes the owner the controller of a pair Secret that was restored from a backup. The pair stays
// bound to its former resource, so nothing is exchanged until it is proven. What was under way when the
// backup was made is not under way now, and is dropped. Kubernetes deletes what belongs to a resource that
// is gone; a Secret that is being deleted for that reason is replaced.
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
	next.Intent = nil
	next.SeedToken, next.DeviceCode = credential.RefreshToken{}, credential.DeviceCode{}
	next.State.PendingSeed, next.State.Device = "", nil
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
