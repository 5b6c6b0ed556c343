package deviceflow

import (
	"cmp"
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// fullPause is how long to wait for a place in the Runner, or in the outbox.
	fullPause = time.Second
	// panicPause is how long a flow rests after the first panic of its work.
	panicPause = time.Minute
)

// Advance takes the device flow of one resource one step further when the resource needs a login. Without
// that method in spec.login, or when no login is needed, it does nothing and Step.Problem is what stands in the way
// otherwise. decision is Decide's, and blocked is the problem that it names; nil when it names none.
func (f *Flow) Advance(log logr.Logger, s *scope.Scope, decision rotation.Decision, blocked *problem.Problem) Step {
	why, byCode := loginNeeded(s, decision, blocked), s.Token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow)
	switch {
	case why == nil:
		if blocked == nil && decision.Action == rotation.ActionNone {
			f.notes.Drop(s.Token.UID) // All is well.
		}
		return Step{Problem: blocked}
	case !byCode && !s.Token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow):
		f.notes.Drop(s.Token.UID)
		return Step{Problem: why.without, RequeueAt: why.until}
	case s.Now.Before(why.from):
		f.notes.Drop(s.Token.UID)
		return Step{Problem: why.without, RequeueAt: why.from}
	case !byCode:
		f.notes.Drop(s.Token.UID)
		return Step{Problem: why.without, RequeueAt: why.until, Needed: true}
	}
	if f.options.CheckApp != nil {
		if refused := f.options.CheckApp(s.App); refused != nil {
			return Step{Problem: refused, Needed: true}
		}
	}
	step := f.advance(log, s, why)
	step.Needed = true
	if step.RequeueAt.IsZero() && !step.Started {
		step.RequeueAt = why.until
	}
	if step.Problem != nil {
		shown := *step.Problem // The note may hold it too.
		shown.Aside = decision.Action == rotation.ActionNone
		step.Problem = &shown
	}
	return step
}

func (f *Flow) advance(log logr.Logger, s *scope.Scope, why *login) Step {
	seen := seenOf(s, why)
	mono := f.options.Clock.Monotonic()
	var next plan
	f.notes.With(s.Token.UID, func(n *note) { next, *n = planNext(seen, *n, s.Now, mono) })
	switch next.stage {
	case stageEnded:
		if next.code == "" {
			f.notes.Drop(s.Token.UID) // The Secret says it all.
		}
		return Step{Problem: askForAnother(s.Token, next.ended)}
	case stageOffered:
		return f.start(log, s, next, func(late time.Duration) Step {
			return Step{Problem: enterCode(s.Token, seen.device, why, s.App.Veil(next.problem), late), Offered: seen.device}
		}, f.poll)
	default:
		return f.start(log, s, next, func(late time.Duration) Step {
			return Step{Problem: cmp.Or(next.problem, codeRequested(why, late))}
		}, f.request)
	}
}

// work is one step beside reconciles.
type work func(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, next plan)

// start begins the work of a plan when its time has come and the limits allow it. Otherwise the resource is
// reconciled again, and show makes what it shows meanwhile, of about how long its turn takes to come; zero is not told.
func (f *Flow) start(log logr.Logger, s *scope.Scope, next plan, show func(late time.Duration) Step, work work) Step {
	step := show(next.late)
	if next.wait > 0 {
		step.RequeueAt = s.Now.Add(next.wait)
		return step
	}
	token := s.Token
	job := rotation.Job{
		Owner: s.Owner, Ref: s.Ref, App: s.App.App, Policy: s.Input.Policy,
		RefreshRequestedAt: s.Input.RefreshRequestedAt, Publication: s.NextPublication(), User: scope.PinOf(token), Pair: s.Pair,
		Decision: rotation.Decision{Cause: rotation.CauseDeviceFlow, Spends: next.code},
		Labels:   token.Spec.Secret.Labels, Annotations: metapatch.Annotations(token.Spec.Secret.Labels, token.Spec.Secret.Annotations),
	}
	of := runner.Subject{UID: token.UID, Namespace: token.Namespace, Host: s.App.Host, Operation: runner.DeviceFlow}
	if f.options.Runner.Full(of) { // Before a turn at the limiter is used up for nothing.
		step.RequeueAt = s.Now.Add(fullPause)
		return step
	}
	if next.stage == stageOffered && errors.Is(f.options.Outbox.Take(job.Owner), rotation.ErrPlacesInUse) {
		step.RequeueAt = s.Now.Add(fullPause) // Why else there is no place the Rotator says.
		return step
	}
	started := false
	defer func() {
		if !started {
			f.options.Outbox.Release(job.Owner)
		}
	}()
	request := ratelimit.Request{ID: string(token.UID), Namespace: token.Namespace, Yields: true, Poll: next.given}
	if ok, estimate := f.options.Acquire(job.App.Key(), request); !ok {
		late := lateness(estimate.Sub(s.Now))
		f.notes.With(token.UID, func(n *note) { n.late = late }) // It is told until a turn comes soon.
		step = show(late)
		step.RequeueAt = estimate
		return step
	}
	if err := f.options.Runner.Start(of, func() { f.run(log, token, job, next, work) }); err != nil {
		step.RequeueAt = s.Now.Add(fullPause) // No place, or the end of this process: nothing to tell of.
		return step
	}
	started = true
	if next.late > 0 && -next.wait <= noticed { // It has had its turn soon after its time.
		f.notes.Peek(token.UID, func(n *note) { n.late = 0 })
	}
	return Step{Offered: step.Offered, Started: true}
}

// run does the work. When it panics, the flow rests before the next step, whoever recovers from the panic.
func (f *Flow) run(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, next plan, work work) {
	defer f.options.Outbox.Release(job.Owner) // The Rotator does it as well, if it comes to that.
	if f.options.Guard != nil {
		defer f.options.Guard(log, token, job)()
	}
	returned := false
	defer func() {
		if !returned {
			f.failed(token, nil, backoff.Backoff{First: panicPause, Max: retry.Max})
		}
	}()
	work(log, token, job, next)
	returned = true
}

// failed notes that a step failed. p is what to tell of it; nil when there is nothing to tell.
func (f *Flow) failed(token *v1alpha1.GitHubUserToken, p *problem.Problem, wait backoff.Backoff) {
	mono := f.options.Clock.Monotonic()
	f.notes.Peek(token.UID, func(n *note) { n.failed(mono, token.Generation, scope.RequestOf(token), p, wait) })
}
