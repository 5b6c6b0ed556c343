package lifecycle

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
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
	// RequeueAt is when there is something to do again: at once when it has passed; zero when only a change can make a difference.
	RequeueAt time.Time
}

func blocked(p *problem.Problem) Result {
	if p == nil {
		return Result{State: Done}
	}
	return Result{State: Blocked, Problem: p, RequeueAt: p.RetryAt}
}

// overduePause is between reconciles in a row that each leave a time that has passed, after the first, which is followed at once: what is
// due is done by the reconcile that its time brings, and where something keeps it from that there must be no loop.
var overduePause = backoff.Backoff{First: time.Second, Max: retry.Max}

// requeueAfter is how long it is until the next reconcile: at the next action, at the next try, also of what stands aside, or
// when the access token expires and the report changes. A time that is zero is none. Any other that is not after the time of
// the scope has passed while something else took its time, and means at once; no event would tell of it. While reconcile
// after reconcile leaves one, it is followed later each time. Zero means that only a change can make a difference.
func (n notes) requeueAfter(s *scope.Scope, times ...time.Time) time.Duration {
	for _, aside := range []*problem.Problem{s.RestoreBlocked, s.MoveBlocked} {
		if aside != nil && aside.RetryAt.After(s.Now) { // Decide has seen one that has come.
			times = append(times, aside.RetryAt)
		}
	}
	if expires := s.ExpiresAt(); expires.After(s.Now) { // Of one that has expired the report tells already.
		times = append(times, expires)
	}
	next, overdue, pause := time.Time{}, false, time.Duration(0)
	for _, t := range times {
		switch {
		case t.IsZero():
		case !t.After(s.Now):
			overdue = true
		default:
			next = backoff.Earliest(next, t)
		}
	}
	n.With(s.Token.UID, func(m *note) {
		if !overdue {
			m.overdue = 0
			return
		}
		if m.overdue > 0 {
			pause = overduePause.After(m.overdue)
		}
		m.overdue++
	})
	if overdue {
		next = backoff.Earliest(next, s.Now.Add(pause))
	}
	if next.IsZero() {
		return 0
	}
	// A moment later rather than a moment earlier: the decision compares with the wall clock.
	return next.Sub(s.Now) + time.Millisecond
}
