package lifecycle

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// State says how an action ended.
type State int

const (
	// Done: what was decided is done, or there was nothing to do. The result is reported.
	Done State = iota
	// Blocked: Problem stands in the way. It is reported.
	Blocked
	// Started: work was started; its end has the resource reconciled again, and reports.
	Started
	// Again: the pair has changed, so it is observed and decided anew at once. There is nothing to report yet.
	Again
)

// Result is what became of an action.
type Result struct {
	State State
	// Problem is what stands in the way of the next exchange, or what a person must know of; nil when nothing does.
	Problem *problem.Problem
	// Offered is the code that a person can enter at GitHub now; nil when there is none.
	Offered *rotation.DeviceAuthorization
	// RequeueAt is when there is something to do again; zero when only a change can make a difference.
	RequeueAt time.Time
}

func blocked(p *problem.Problem) Result {
	if p == nil {
		return Result{State: Done}
	}
	return Result{State: Blocked, Problem: p, RequeueAt: p.RetryAt}
}

// requeueAfter is how long it is until the next reconcile: at the next action, at the next try, also of what stands aside, or
// when the access token expires and the report changes. Zero means that only a change can make a difference.
func requeueAfter(s *scope.Scope, times ...time.Time) time.Duration {
	var at time.Time
	if expires := s.ExpiresAt(); expires.After(s.Now) {
		at = expires
	}
	for _, aside := range []*problem.Problem{s.RestoreBlocked, s.MoveBlocked} {
		if aside != nil {
			times = append(times, aside.RetryAt)
		}
	}
	for _, t := range times {
		if t.After(s.Now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if at.IsZero() {
		return 0
	}
	// A moment later rather than a moment earlier: the decision compares with the wall clock.
	return at.Sub(s.Now) + time.Millisecond
}
