// Package runnertest stands in for time, and for the goroutines of a runner, in tests of what a runner runs: both go on
// only when the test says so.
package runnertest

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Clock is a rotation.Clock of which time passes only by sleeping, or by hand. No timeout of it ever comes.
type Clock struct {
	// Start is the wall-clock time at which the monotonic clock was zero.
	Start time.Time
	// Mono is the monotonic clock.
	Mono time.Duration
	// Off is by how much the wall clock was set since.
	Off time.Duration
	// Slept are all pauses so far.
	Slept []time.Duration
	// OnSleep is called after each pause. May be nil.
	OnSleep func()
}

// Now implements rotation.Clock.
func (c *Clock) Now() time.Time { return c.Start.Add(c.Mono + c.Off) }

// Monotonic implements rotation.Clock.
func (c *Clock) Monotonic() time.Duration { return c.Mono }

// WithTimeout implements rotation.Clock.
func (c *Clock) WithTimeout(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

// Sleep implements rotation.Clock.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Slept = append(c.Slept, d)
	c.Mono += d
	if c.OnSleep != nil {
		c.OnSleep()
	}
	return ctx.Err()
}

// Queue holds the work that a runner starts: its Go is for runner.Options.
type Queue struct{ work []func() }

// Go takes work in.
func (q *Queue) Go(_ types.UID, work func()) { q.work = append(q.work, work) }

// Len is how much work was started and has not run.
func (q *Queue) Len() int { return len(q.work) }

// Run runs what was started, in turn, with what that starts.
func (q *Queue) Run() {
	for len(q.work) > 0 {
		work := q.work[0]
		q.work = q.work[1:]
		work()
	}
}
