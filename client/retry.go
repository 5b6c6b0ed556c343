package client

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	firstPause = 250 * time.Millisecond
	mostPause  = 10 * time.Second
	// mostRetryAfter bounds what a server can have a client wait for at a time.
	mostRetryAfter = time.Minute
)

// retryAfter reads the header Retry-After: seconds, or a date. Zero if it says neither.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(time.Duration(seconds)*time.Second, 0), mostRetryAfter)
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(date.Sub(now), 0), mostRetryAfter)
	}
	return 0
}

// pause is how long to wait after the n-th failure: at least what the server said. A part of it is left to chance, so that pods which
// failed together do not come again together.
func pause(n int, wanted time.Duration) time.Duration {
	base := wanted
	if base == 0 {
		base = min(firstPause<<min(n, 10), mostPause)
	}
	base = max(base, firstPause)
	return base + rand.N(base/4) //nolint:gosec // Chance, no secret.
}

// sleep waits, unless the context ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
