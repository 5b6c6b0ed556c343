package handoff

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// pauses are those between two tries of a handoff. What waits for somebody is tried as well: nothing tells of a
// permission that was granted.
var pauses = backoff.Backoff{First: 2 * time.Second, Max: retry.Max}

// trouble is why a handoff is incomplete, and when it is tried again.
type trouble struct {
	problem problem.Problem
	// failures counts those in a row for the same reason.
	failures int
	retry    backoff.Due
}

// then is the trouble after a further try; t is nil when there was none before, and the result is nil when err
// is.
func (t *trouble) then(err error, now time.Time, mono time.Duration) *trouble {
	if err == nil {
		return nil
	}
	next := &trouble{problem: ProblemOf(err), failures: 1}
	if t != nil && t.problem.Reason == next.problem.Reason {
		next.failures += t.failures
	}
	next.retry = backoff.DueIn(pauses.After(next.failures), now, mono)
	return next
}
