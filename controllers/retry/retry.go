package retry

import (
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// Max is the longest wait between two tries, unless GitHub's rate limit asks for more.
	Max = 5 * time.Minute
	// Conflict is the first wait after something newer than the cache shows was met.
	Conflict = 200 * time.Millisecond
	// first is the first wait after a failure that nothing is known about.
	first = 2 * time.Second
	// RefusedMax is the longest wait where the API server refuses a write: a quota, a policy or a Role that is mended tells
	// nobody.
	RefusedMax = 30 * time.Second
	// misconfigured is the first wait where somebody has to change something. What they change is a reason to
	// try at once.
	misconfigured = 10 * time.Second
	// secondaryLimit is as GitHub's guide for secondary rate limits asks when no header says more.
	secondaryLimit = time.Minute
)

// Reconcile is the back-off of a reconcile that has failed: it is tried again at once, then later each time, but never so
// late that a due exchange would be missed.
var Reconcile = backoff.Backoff{First: 5 * time.Millisecond, Max: 30 * time.Second}

// After is the back-off after an error.
func After(err error) backoff.Backoff {
	var failed *github.Error
	wait := first
	switch {
	case errors.Is(err, rotation.ErrDenied):
		return backoff.Backoff{First: first, Max: RefusedMax}
	case !errors.As(err, &failed):
	case failed.RetryAfter > 0 && failed.Reason == github.RateLimited:
		wait = failed.RetryAfter
	case failed.RetryAfter > 0:
		wait = min(failed.RetryAfter, Max) // An outage may end sooner than somebody has guessed.
	case failed.Reason == github.RateLimited:
		wait = secondaryLimit
	case failed.Class == github.Misconfigured:
		wait = misconfigured
	}
	return backoff.Backoff{First: wait, Max: Max}
}

// Pause is for how long the whole App is to send no token request after a result; zero when it may go on.
func Pause(result rotation.Result) time.Duration {
	var failed *github.Error
	switch {
	case !errors.As(result.Err, &failed):
		return result.Pause
	case failed.Reason == github.RateLimited:
		return After(failed).First
	default:
		return min(result.Pause, Max)
	}
}
