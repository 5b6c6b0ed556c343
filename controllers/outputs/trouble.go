package outputs

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// pauses are those between two tries to write an output that the API server refuses, or does not answer to.
var pauses = backoff.Backoff{First: time.Second, Max: retry.RefusedMax}

// trouble is why an output could not be written or removed, and when it is tried again.
type trouble struct {
	problem problem.Problem
	// failures counts those in a row for the same reason.
	failures int
	retry    backoff.Due
	// generation is that of the spec that was tried.
	generation int64
}

// then is the trouble after a further failure; t is nil after the first.
func (t *trouble) then(found problem.Problem, generation int64) *trouble {
	next := &trouble{problem: found, failures: 1, generation: generation}
	if t != nil && t.problem.Reason == found.Reason {
		next.failures += t.failures
	}
	return next
}

// wait is how long until the next try. disturbed reports that a Secret has changed while this try was under way.
func (t *trouble) wait(disturbed bool) time.Duration {
	switch {
	case !t.problem.Stalled:
		return pauses.After(t.failures)
	case disturbed:
		return 0
	default:
		return retry.Max // A change is noticed at once; this is for one that was missed.
	}
}

// isRemoval reports whether the output is not wanted any more, and could not be removed. t may be nil.
func (t *trouble) isRemoval() bool {
	return t != nil && t.problem.Reason == v1alpha1.ReasonOutputNotRemoved
}
