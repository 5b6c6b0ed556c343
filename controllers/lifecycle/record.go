package lifecycle

import (
	"context"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/replay"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// pairReader reads pair Secrets live.
type pairReader interface {
	// Get is that of rotation.Store.
	Get(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
}

// outcomes take down what came of exchanges and of steps of the device flow, panics included.
type outcomes struct {
	notes    notes
	reporter Reporter
	limiter  Limiter
	// received is told of each access token that GitHub has issued, and for which App.
	received func(uid types.UID, app github.App, token credential.Fingerprint)
	// issued is Issued of tokencheck.Checks.
	issued    func(log logr.Logger, token *v1alpha1.GitHubUserToken, app github.App, pair *rotation.Pair)
	pairs     pairReader
	replays   *replay.Replayer
	clock     rotation.Clock
	passPanic func(cause any) bool
}

// record remembers, counts and logs the result of an exchange, and hands a stored pair on. It is part of the
// work that has made the exchange, whose end has the resource reconciled again.
func (o *outcomes) record(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, result rotation.Result) {
	o.reporter.Observed(result)
	o.notes.written(token.UID, result.Pair)
	o.notes.Peek(token.UID, func(m *note) { m.committing, m.retries = nil, 0 })
	o.pause(job.App, result)
	ended, failed, spent := "GitHub no longer accepts the refresh token", "The token could not be refreshed", words.RefreshToken
	if job.Attempt != "" {
		logins.Tell(o.reporter, token, result)
		ended, failed, spent = "A login by the web flow came to nothing", "The code of a login could not be redeemed", words.Code
	}
	log = log.WithValues("outcome", result.Outcome, "cause", job.Decision.Cause, "spends", job.Decision.Spends.Short())
	if result.OutboxErr != nil {
		log.Error(result.OutboxErr, "The outbox failed during an exchange; the pair was held in memory only")
	}
	switch result.Outcome {
	case rotation.Committed:
		o.notes.succeed(token.UID)
		o.received(token.UID, job.App, result.Pair.State.AccessToken)
		o.notes.Peek(token.UID, func(m *note) { m.startsChain(result.Pair) })
		log.Info("The token was refreshed", "expires", result.Pair.State.ExpiresAt, "count", result.Pair.State.RefreshCount)
		o.reporter.Stored(log, token, result.Pair, false)
		o.issued(log, token, job.App, result.Pair)
	case rotation.Stale:
		o.recordStale(log, token, job, result)
	case rotation.Superseded, rotation.Discarded:
		o.notes.doubt(token.UID)
		o.notes.succeed(token.UID)
		log.Info("A result was not needed any more", "why", words.Of(result.Err))
	case rotation.Rejected, rotation.WrongUser:
		o.notes.succeed(token.UID)
		log.Info(ended, "reason", result.Reason, "why", words.Of(result.Err))
	case rotation.Unrecorded:
		// The chain that was there before a login stays good, but goes on when the login is settled.
		chain := job.Pair != nil && job.Pair.State.RefreshToken != "" && job.Pair.State.RefreshToken != job.Decision.Spends
		p := words.Unrecorded(spent, result.Err, !chain)
		o.notes.fail(token, *p, retry.After(result.Err))
		log.Info("GitHub refused "+string(spent)+", and the API server does not take the write that says so", "why", words.Of(result.Err))
	default:
		p := words.Failure(result)
		if p.Reason == v1alpha1.ReasonIncorrectClientCredentials {
			p.Message += words.WhichClientSecret(token)
		}
		o.notes.fail(token, *p, retry.After(result.Err))
		log.Info(failed, "reason", p.Reason, "why", words.Of(result.Err))
	}
}

// pause stops all token requests of an App when GitHub has said that its rate limit is used up.
func (o *outcomes) pause(app github.App, result rotation.Result) {
	if pause := retry.Pause(result); pause > 0 {
		o.limiter.Pause(app.Key(), o.clock.Now().Add(pause))
	}
}

// staleTries is how many fences in a row may meet something newer than the cache shows before the Secret is
// read live. A cache that merely lags has caught up by then.
const staleTries = 3

// recordStale deals with a fence that has met something newer than the cache shows. When that happens again and again an event of the
// watch was lost, and without a further change of the Secret the cache would never learn of it: then the Secret is read live.
func (o *outcomes) recordStale(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, result rotation.Result) {
	tries := 0
	o.notes.doubt(token.UID)
	o.notes.fail(token, problem.Problem{
		Reason: v1alpha1.ReasonExchanging, Message: "The pair Secret was being changed by somebody else; nothing was exchanged.",
	}, backoff.Backoff{First: retry.Conflict, Max: retry.Max})
	log.V(1).Info("Nothing was exchanged: the Secret was not as expected", "why", words.Of(result.Err))
	o.notes.Peek(token.UID, func(m *note) { tries = m.failure.tries })
	if tries < staleTries {
		return
	}
	live, err := o.pairs.Get(context.Background(), job.Ref)
	if err != nil {
		log.V(1).Info("The pair Secret could not be looked at", "why", words.Of(err))
		return
	}
	if job.Pair != nil && isOlder(job.Pair.Version, live.Version) {
		o.notes.read(token.UID, live)
	}
}
