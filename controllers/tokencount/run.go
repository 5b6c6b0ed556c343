package tokencount

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// interval is how often it is looked whether anything has changed.
const interval = time.Second

// Clock is the time.
type Clock interface {
	// Monotonic is a clock that never jumps.
	Monotonic() time.Duration
	// Sleep waits, until the context ends at most.
	Sleep(ctx context.Context, d time.Duration) error
}

// Run has resources reconciled that have something else to tell, until the context ends.
func (c *Counter) Run(ctx context.Context, clock Clock, reconcile func(types.NamespacedName)) {
	for clock.Sleep(ctx, interval) == nil {
		for _, name := range c.Round(clock.Monotonic()) {
			reconcile(name)
		}
	}
}
