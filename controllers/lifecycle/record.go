package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// record remembers, counts and logs the result of an exchange, and hands a stored pair on. It is part of the
// work that has made the exchange, whose end has the resource reconciled again.
func (c *Controller) record(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, result rotation.Result) {
	c.reporter.Observed(result)
	c.notes.written(token.UID, result.Pair)
	c.notes.Peek(token.UID, func(m *note) { m.committing = nil })
	c.pause(job.App, result)
	log = log.WithValues("outcome", result.Outcome, "cause", job.Decision.Cause, "spends", job.Decision.Spends.Short())
	if result.OutboxErr != nil {
		log.Error(result.OutboxErr, "The outbox failed during an exchange; the pair was held in memory only")
	}
	switch result.Outcome {
	case rotation.Committed:
		c.notes.succeed(token.UID)
		log.Info("The token was refreshed", "expires", result.Pair.State.ExpiresAt, "count", result.Pair.State.RefreshCount)
		c.reporter.Stored(log, token, result.Pair, false)
	case rotation.Stale:
		c.recordStale(log, token, job, result)
	case rotation.Superseded, rotation.Discarded:
		c.notes.doubt(token.UID)
		c.notes.succeed(token.UID)
		log.Info("A result was not needed any more", "why", words.Of(result.Err))
	case rotation.Rejected, rotation.WrongUser:
		c.notes.succeed(token.UID)
		log.Info("GitHub no longer accepts the refresh token", "reason", result.Reason)
	default:
		p := words.Failure(result)
		c.notes.fail(token.UID, token.Generation, job.RefreshRequestedAt, *p, retry.After(result.Err))
		log.Info("The token could not be refreshed", "reason", p.Reason, "why", words.Of(result.Err))
	}
}

// pause stops all token requests of an App when GitHub has said that its rate limit is used up.
func (c *Controller) pause(app github.App, result rotation.Result) {
	if pause := retry.Pause(result); pause > 0 {
		c.limiter.Pause(app.Key(), c.clock.Now().Add(pause))
	}
}

// staleTries is how many fences in a row may meet something newer than the cache shows before the Secret is
// read live. A cache that merely lags has caught up by then.
const staleTries = 3

// recordStale deals with a fence that has met something newer than the cache shows. When that happens again
// and again an event of the watch was lost, and without a further change of the Secret the cache would never
// learn of it: then the Secret is read live.
func (c *Controller) recordStale(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, result rotation.Result) {
	tries := 0
	c.notes.doubt(token.UID)
	c.notes.fail(token.UID, token.Generation, job.RefreshRequestedAt, problem.Problem{
		Reason: v1alpha1.ReasonExchanging, Message: "The pair Secret was being changed by somebody else; nothing was exchanged.",
	}, backoff.Backoff{First: retry.Conflict, Max: retry.Max})
	log.V(1).Info("Nothing was exchanged: the Secret was not as expected", "why", words.Of(result.Err))
	c.notes.Peek(token.UID, func(m *note) { tries = m.failure.tries })
	if tries < staleTries {
		return
	}
	live, err := c.api.Get(context.Background(), job.Ref)
	if err != nil {
		log.V(1).Info("The pair Secret could not be looked at", "why", words.Of(err))
		return
	}
	if job.Pair != nil && isOlder(job.Pair.Version, live.Version) {
		c.notes.read(token.UID, live)
	}
}

// panicBackoff is for how long a resource rests whose exchange ended in a panic of the operator.
var panicBackoff = backoff.Backoff{First: time.Minute, Max: retry.Max}

// guard begins an exchange, or a step of the device flow. What it returns is deferred to the end.
func (c *Controller) guard(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job) func() {
	c.reporter.Starting(log, token, job)
	return func() { c.survive(log, token, job, recover()) }
}

// survive turns a panic into a failure of one resource. The intent and the outbox are as after a crash, and
// are resolved as after one: the outbox first. The panic's value is not printed: it might hold anything.
func (c *Controller) survive(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, recovered any) {
	if recovered == nil {
		return
	}
	if c.passPanic != nil && c.passPanic(recovered) {
		panic(recovered)
	}
	c.reporter.Panicked(token.UID)
	log.Error(errors.New("panic during an exchange"), "An exchange ended in a panic and is resolved like a crash; please report it", "spends", job.Decision.Spends.Short())
	c.notes.doubt(token.UID)
	stored := false
	kept := func() { stored = c.replayKept(log, job.Owner) || stored }
	c.replayDespitePanics(log, job.Owner, kept, kept)
	if stored {
		c.notes.succeed(token.UID)
		return
	}
	c.notes.fail(token.UID, token.Generation, job.RefreshRequestedAt, problem.Problem{
		Reason: v1alpha1.ReasonOutcomeUnknown, Message: "The exchange ended in an error of the operator itself.", Ambiguous: true,
	}, panicBackoff)
}

// commitRetried is told by the Rotator that a received pair could not be stored yet.
func (c *Controller) commitRetried(owner rotation.Owner, err error) {
	c.reporter.CommitRetried()
	if !errors.Is(err, rotation.ErrDenied) && !errors.Is(err, rotation.ErrNotOwned) {
		return
	}
	c.reportCommitting(owner, "A new pair has been received and is kept safe, but the API server does not store it: "+err.Error()+". It is tried again every few seconds.")
}

// reportCommitting has the status tell why a received pair is not stored yet.
func (c *Controller) reportCommitting(owner rotation.Owner, message string) {
	c.notes.With(types.UID(owner.UID), func(m *note) {
		m.committing = &problem.Problem{Reason: v1alpha1.ReasonCommitting, Message: message}
	})
	c.wake(types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
}
