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
	retry    due
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
	wait := pauses.After(next.failures)
	next.retry = due{now.Add(wait), mono + wait}
	return next
}

// due is a time by both clocks.
type due struct {
	wall      time.Time
	monotonic time.Duration
}

// hasCome reports whether the time has come, by the clock that never jumps.
func (d due) hasCome(mono time.Duration) bool { return d.monotonic <= mono }

// at is the time by the wall clock: now when it has come. It stays the same at each look, so that no status is
// written for a change of its last digit, unless the wall clock was set.
func (d due) at(now time.Time, mono time.Duration) time.Time {
	if at := now.Add(max(0, d.monotonic-mono)); at.Sub(d.wall).Abs() > time.Second {
		return at
	}
	return d.wall
}
