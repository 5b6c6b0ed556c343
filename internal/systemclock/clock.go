// Package systemclock is the real time, by both clocks of the machine.
package systemclock

import (
	"context"
	"time"
)

// Clock is the real time. Make it with New.
type Clock struct{ started time.Time }

// New makes a clock whose monotonic time begins now.
func New() Clock { return Clock{started: time.Now()} }

// Now is the wall clock alone: without its monotonic reading, so that differences follow a clock that is set.
func (Clock) Now() time.Time { return time.Now().Round(0) }

// Monotonic is the time since the clock was made; it never jumps.
func (c Clock) Monotonic() time.Duration { return time.Since(c.started) }

// WithTimeout is context.WithTimeout.
func (Clock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// Sleep returns after the given time, or earlier with the context's error.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
