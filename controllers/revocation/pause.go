package revocation

import (
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// maxTime is for how long GitHub is asked to revoke a pair. For a resource that is deleted it counts from when
// the deletion was asked for; then the resource goes all the same.
const maxTime = 2 * time.Minute

// retryBackoff is between two tries.
var retryBackoff = backoff.Backoff{First: time.Second, Max: 15 * time.Second}

// pauseAfter is how long to wait after so many failures in a row, of which this is the last: longer than by the
// back-off when GitHub asks for it, though not longer than it is asked at all.
func pauseAfter(err error, failures int) time.Duration {
	pause := retryBackoff.After(failures)
	if failed, ok := errors.AsType[*github.Error](err); ok {
		pause = max(pause, min(failed.RetryAfter, maxTime))
	}
	return pause
}
