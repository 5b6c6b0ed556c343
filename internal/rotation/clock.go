package rotation

import (
	"context"
	"time"
)

// SystemClock is the real time.
func SystemClock() Clock { return systemClock{started: time.Now()} }

type systemClock struct{ started time.Time }

// Now is the wall clock alone: without its monotonic reading, so that differences follow a clock that is set.
func (systemClock) Now() time.Time { return time.Now().Round(0) }

func (c systemClock) Monotonic() time.Duration { return time.Since(c.started) }

func (systemClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
