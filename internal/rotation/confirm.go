package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrTokenInUse says that the token of a login belongs to another resource.
var ErrTokenInUse = errors.New("another resource owns the refresh token")

// confirm asks, when the fence of a login stands, whether its token is this resource's to spend. Before the fence the
// caches may not have shown who else has it; whoever fences it from now on sees this fence.
func (r *Rotator) confirm(ctx context.Context, job Job, fenced *Pair, began time.Duration) *Result {
	if r.Confirm == nil || fenced.Intent.Spends != fenced.State.PendingSeed {
		return nil
	}
	asking, cancel := r.Clock.WithTimeout(ctx, max(0, FenceTimeout-(r.Clock.Monotonic()-began)))
	defer cancel()
	switch err := r.Confirm(asking, job, fenced); {
	case err == nil:
		return nil
	case errors.Is(err, ErrTokenInUse):
		left, failed := r.giveWay(ctx, job, fenced)
		return &Result{Outcome: Stale, Pair: left, Err: errors.Join(err, failed)}
	default:
		return &Result{Outcome: NotFenced, Pair: fenced, Err: fmt.Errorf("find out whether somebody else has the refresh token: %w", err)}
	}
}

// giveWay takes back a fence of a login whose token is not this resource's to spend, and removes the Secret if it
// was made for nothing else. What it cannot take back is resolved like any intent.
func (r *Rotator) giveWay(ctx context.Context, job Job, fenced *Pair) (*Pair, error) {
	state := &fenced.State
	if !fenced.hasTokens() && state.RefreshToken == "" && state.Verdict == nil && state.Device == nil && state.Web == nil && len(state.Seeds) == 0 {
		return nil, r.Store.Remove(ctx, fenced)
	}
	next := fenced.Clone()
	next.Intent, next.State.SeedVersion = nil, ""
	next.endLogin(fenced.Intent.Spends)
	if job.Pair != nil && job.Pair.State.PendingSeed == "" {
		next.State.SeedVersion = job.Pair.State.SeedVersion
	}
	left, err := r.Store.Update(ctx, fenced, next)
	if err != nil {
		return fenced, err
	}
	return left, nil
}
