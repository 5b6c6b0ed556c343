package lifecycle

import (
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// panicBackoff is for how long a resource rests whose exchange ended in a panic of the operator.
var panicBackoff = backoff.Backoff{First: time.Minute, Max: retry.Max}

// guard begins an exchange, or a step of the device flow. What it returns is deferred to the end.
func (o *outcomes) guard(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job) func() {
	o.reporter.Starting(log, token, job)
	return func() { o.survive(log, token, job, recover()) }
}

// survive turns a panic into a failure of one resource. The intent and the outbox are as after a crash, and
// are resolved as after one: the outbox first. The panic's value is not printed: it might hold anything.
func (o *outcomes) survive(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, recovered any) {
	if recovered == nil {
		return
	}
	if o.passPanic != nil && o.passPanic(recovered) {
		panic(recovered)
	}
	o.reporter.Panicked(token.UID)
	log.Error(errors.New("panic during an exchange"), "An exchange ended in a panic and is resolved like a crash; please report it", "spends", job.Decision.Spends.Short())
	o.notes.doubt(token.UID)
	stored := false
	kept := func() { stored = o.replays.Kept(log, job.Owner) || stored }
	o.replays.DespitePanics(log, job.Owner, kept, kept)
	if stored {
		o.notes.succeed(token.UID)
		return
	}
	o.notes.fail(token, problem.Problem{
		Reason: v1alpha1.ReasonOutcomeUnknown, Message: "The exchange ended in an error of the operator itself.", Ambiguous: true,
	}, panicBackoff)
}
