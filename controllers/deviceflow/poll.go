package deviceflow

import (
	"context"
	"errors"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// poll asks GitHub once whether the code was entered.
func (f *Flow) poll(log logr.Logger, token *v1alpha1.GitHubUserToken, job rotation.Job, _ plan) {
	result := f.options.Rotator.Poll(context.Background(), job)
	f.options.Pause(job.App, result)
	logins.Count(logins.Device, result)
	var failed *github.Error
	pending := errors.As(result.Err, &failed) && (failed.Reason == github.AuthorizationPending || failed.Reason == github.SlowDown)
	plain := log // Record adds the same.
	if !pending {
		log = log.WithValues("code", job.Decision.Spends.Short(), "outcome", result.Outcome)
	}
	switch result.Outcome {
	case rotation.Committed, rotation.Superseded, rotation.Discarded:
		f.notes.Drop(token.UID)
		f.options.Record(plain, token, job, result)
	case rotation.WrongUser:
		f.options.Observe(result)
		f.options.RememberNewer(token.UID, result.Pair)
		log.Info("A code was entered by another account than spec.user")
	case rotation.Rejected:
		f.options.RememberNewer(token.UID, result.Pair)
		mono := f.options.Clock.Monotonic()
		f.notes.Peek(token.UID, func(n *note) { n.ended(mono, job.Pair.State.Device.Codes, result.Reason != "") })
		log.Info("The code is of no more use", "reason", result.Reason, "why", words.Of(result.Err))
	case rotation.Stale:
		f.options.Doubt(token.UID)
		f.options.RememberNewer(token.UID, result.Pair)
		f.failed(token, nil, afterConflict)
	case rotation.Untouched, rotation.Unknown:
		f.options.RememberNewer(token.UID, result.Pair)
		if pending {
			interval := failed.RetryAfter
			if result.Pair != nil && result.Pair.State.Device != nil {
				interval = max(interval, result.Pair.State.Device.Interval) // A slow_down may leave it to us to know by how much.
			}
			mono := f.options.Clock.Monotonic()
			f.notes.Peek(token.UID, func(n *note) { n.pending(mono, interval, job.App.Key(), failed.Reason == github.AuthorizationPending) })
			return
		}
		f.failed(token, atGitHub(result.Err), retry.After(result.Err))
		log.Info("GitHub could not be asked whether the code was entered", "why", words.Of(result.Err))
	default:
		f.failed(token, words.Failure(result), retry.After(result.Err))
		log.Info("GitHub was not asked whether the code was entered", "why", words.Of(result.Err))
	}
}
