package backoff

import "time"

// Backoff doubles the wait with each failure in a row.
type Backoff struct {
	// First is the wait after the first failure.
	First time.Duration
	// Max is the longest wait. Where it is shorter than First, every wait is First: somebody else, such as a
	// server with its Retry-After, has asked for it.
	Max time.Duration
}

// After is how long to wait after that many failures in a row. Counts below 1 are taken as 1.
func (b Backoff) After(failures int) time.Duration {
	wait := b.First
	for range min(max(failures, 1)-1, 62) {
		if wait >= b.Max {
			break
		}
		wait *= 2
	}
	return min(wait, max(b.First, b.Max))
}
