package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/explain"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// exchanges begin an exchange, one for each resource at a time, when nothing stands in the way.
type exchanges struct {
	hosts     apps.Hosts
	seeds     *seeds.Reader
	ownership *seeds.Ownership
	limiter   Limiter
	outbox    Outbox
	runner    *runner.Runner
	rotator   *rotation.Rotator
	logins    *webflow.Logins
	outcomes  *outcomes
	notes     notes
}

// begin starts an exchange when everything that can be checked without touching the token allows it.
func (e *exchanges) begin(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	if p := apps.Check(e.hosts, s.App); p != nil {
		return blocked(p)
	}
	if p := scope.CheckRoom(s); p != nil {
		return blocked(p)
	}
	if e.rotator.IsSpending(decision.Spends) {
		// Its end has us look again where it is one of this name's.
		result := blocked(&problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The operator is still at work on another exchange of this refresh token. It goes on when that has ended."})
		result.RequeueAt = s.Now.Add(rotation.IntentTimeout)
		return result
	}
	switch p, err := e.beforehand(ctx, s, decision); {
	case err != nil:
		return e.notes.failed(s, err, "Nothing was exchanged, because it could not be found out who owns the refresh token")
	case p != nil:
		return blocked(p)
	}
	return e.withPlace(s, func() Result { return e.prepare(ctx, s, decision) })
}

// beforehand says what stands in the way of an exchange as far as it can be known without reading the resource's own
// Secrets: those may be large, and many resources may wait for the same.
func (e *exchanges) beforehand(ctx context.Context, s *scope.Scope, decision rotation.Decision) (*problem.Problem, error) {
	if p := e.seeds.ClientSecretProblem(s.App); p != nil {
		return p, nil
	}
	if decision.Action != rotation.ActionImport || s.Seed.Fingerprint != decision.Spends {
		return nil, nil
	}
	p, err := e.ownership.Claim(ctx, s.Token, decision.Spends)
	if p == nil && err == nil && s.Seed.IsSpent {
		p = seeds.Spent(s.Ref.Name)
	}
	return p, err
}

// prepare reads what an exchange takes, and starts it. Nothing is read while its turn at the rate limit is waited for, however
// often it is asked for.
func (e *exchanges) prepare(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	of := runner.Subject{UID: s.Token.UID, Namespace: s.Token.Namespace, Host: s.App.Host, Operation: runner.Exchange}
	if e.runner.Full(of) {
		return e.full(s)
	}
	turn := false
	if _, waits := e.limiter.Waits(s.App.Key(), string(s.Token.UID)); waits {
		var p *problem.Problem
		if turn, p = e.turn(s, decision); !turn {
			return blocked(p)
		}
	}
	job := rotation.Job{
		Owner: s.Owner, Ref: s.Ref, App: s.App.App, Policy: s.Input.Policy,
		RefreshRequestedAt: s.Input.RefreshRequestedAt, Publication: s.NextPublication(), User: scope.PinOf(s.Token), Pair: s.Pair, Decision: decision,
		Labels: s.Token.Spec.Secret.Labels, Annotations: metapatch.Annotations(s.Token.Spec.Secret.Labels, s.Token.Spec.Secret.Annotations),
	}
	if decision.Action == rotation.ActionRedeem {
		switch ended, err := e.logins.Prepare(ctx, s, &job); {
		case err != nil:
			return e.notes.failed(s, err, "No code was redeemed, because it could not be looked at")
		case ended != nil:
			e.notes.written(s.Token.UID, ended)
			return Result{State: Again}
		}
	}
	isLogin := decision.Spends != "" && s.Pair != nil && s.Pair.LoginFromSeed() == decision.Spends
	if decision.Action == rotation.ActionImport || isLogin {
		p, err := e.prepareImport(ctx, s, &job)
		if err != nil {
			return e.notes.failed(s, err, "Nothing was exchanged, because the seed could not be read")
		}
		if p != nil {
			return blocked(p)
		}
	}
	secret, p, err := e.seeds.ClientSecret(ctx, s.App)
	if err != nil {
		return e.notes.failedOfApp(s, err, "Nothing was exchanged, because the client secret could not be read")
	}
	if p != nil {
		return blocked(p)
	}
	job.App.ClientSecret = secret
	return e.acquire(ctx, s, of, job, turn)
}

// full is the result for a resource that waits for other exchanges to end. When it is tried again is not told: it would be
// another time at each look, and each look a write.
func (e *exchanges) full(s *scope.Scope) Result {
	p := explain.Waiting(s, problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "Waiting for other exchanges to end."})
	return Result{State: Blocked, Problem: p, RequeueAt: s.Now.Add(placePause)}
}

// acquire starts the exchange when the rate limit and the number of exchanges allow it; otherwise it says what
// is waited for. turn says that it has its turn at the rate limit.
func (e *exchanges) acquire(ctx context.Context, s *scope.Scope, of runner.Subject, job rotation.Job, turn bool) Result {
	token := s.Token
	if !turn {
		var p *problem.Problem
		if turn, p = e.turn(s, job.Decision); !turn {
			return blocked(p)
		}
	}
	log := logr.FromContextOrDiscard(ctx)
	err := e.runner.Start(of, func() {
		defer e.outbox.Release(job.Owner) // The Rotator does it as well, if it comes to that.
		defer e.outcomes.guard(log, token, job)()
		e.outcomes.record(log, token, job, e.rotator.Rotate(context.Background(), job))
	})
	switch {
	case errors.Is(err, runner.ErrDraining):
		return blocked(&problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The operator is shutting down; the next one goes on."})
	case errors.Is(err, runner.ErrFull):
		return e.full(s)
	case errors.Is(err, runner.ErrBusy):
		e.outbox.Release(job.Owner)
		return Result{State: Started} // Work that is already under way will have the resource reconciled.
	default:
		return Result{State: Started}
	}
}

// turn asks for a turn at the rate limit, and says that it is waited for when there is none.
func (e *exchanges) turn(s *scope.Scope, decision rotation.Decision) (ok bool, p *problem.Problem) {
	// Who has no token yet waits from the beginning: a time that does not change, so that looking again does
	// not cost the place in the queue.
	expiry := s.Token.CreationTimestamp.Time
	if s.Pair != nil && s.Pair.State.Expires() {
		expiry = s.Pair.State.ExpiresAt
	}
	if decision.Action == rotation.ActionRedeem { // A code dies within minutes.
		expiry = backoff.Earliest(expiry, s.Pair.State.Web.ExpiresAt)
	}
	request := ratelimit.Request{ID: string(s.Token.UID), Namespace: s.Token.Namespace, Expiry: expiry}
	ok, estimate := e.limiter.Acquire(s.App.Key(), request)
	if ok {
		return true, nil
	}
	return false, explain.Waiting(s, problem.Problem{
		Reason:  v1alpha1.ReasonRateLimited,
		Message: "The App's limit of token requests is used up, or the one that it shares until GitHub has once answered it with success since the operator started. Resources whose tokens expire first go first.", RetryAt: estimate,
	})
}

// prepareImport puts the seed's token into the job, as the seed holds it now, when no other resource owns it. That of a login
// whose exchange is to be resolved was asked about before it was fenced.
func (e *exchanges) prepareImport(ctx context.Context, s *scope.Scope, job *rotation.Job) (*problem.Problem, error) {
	isResolved := job.Decision.Action != rotation.ActionImport
	if !isResolved && s.Pair != nil && s.Pair.State.PendingSeed == job.Decision.Spends && s.Seed.Fingerprint != job.Decision.Spends {
		return nil, nil // It waits in the pair Secret.
	}
	found, token, err := e.seeds.Read(ctx, s.Token)
	if err != nil {
		return nil, err
	}
	if found.Problem != nil && !isResolved {
		return found.Problem, nil
	}
	if found.Fingerprint != job.Decision.Spends {
		return &problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The seed has just changed.", RetryAt: s.Now.Add(100 * time.Millisecond)}, nil
	}
	if !isResolved {
		p, err := e.ownership.Claim(ctx, s.Token, found.Fingerprint)
		if p != nil || err != nil {
			return p, err
		}
	}
	job.Seed, job.SeedVersion = token, found.Version
	return nil, nil
}
