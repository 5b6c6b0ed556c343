package simulation

import (
	"context"
	"time"
)

// epoch is the wall-clock time at which every run begins.
var epoch = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

// clock is the rotation.Clock of one process. The wall clock of its node may be wrong and may jump; the
// monotonic clock is right.
type clock struct{ life *life }

func (c clock) Now() time.Time { return c.life.wall() }

func (c clock) Monotonic() time.Duration { return c.life.world.now - c.life.born }

func (c clock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	limited := &deadline{Context: ctx, world: c.life.world, at: c.life.world.now + d}
	return limited, func() { limited.cancelled = true }
}

func (c clock) Sleep(ctx context.Context, d time.Duration) error { return c.life.world.sleep(ctx, d) }

// deadline is a context with a deadline in simulated time.
type deadline struct {
	context.Context

	world     *world
	at        moment
	cancelled bool
}

func (d *deadline) Err() error {
	switch err := d.Context.Err(); {
	case err != nil:
		return err
	case d.cancelled:
		return context.Canceled
	case d.world.now >= d.at:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Deadline gives the true time in the form of a time.Time, for deadlineOf to read back.
func (d *deadline) Deadline() (time.Time, bool) {
	at := time.Unix(0, int64(d.at))
	if outer, limited := d.Context.Deadline(); limited && outer.Before(at) {
		at = outer
	}
	return at, true
}

// deadlineOf is when a call must end: at the context's deadline, and after most at the latest.
func deadlineOf(ctx context.Context, now moment, most time.Duration) moment {
	if at, limited := ctx.Deadline(); limited {
		return min(moment(at.UnixNano()), now+most)
	}
	return now + most
}
