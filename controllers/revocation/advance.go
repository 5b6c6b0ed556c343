package revocation

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
)

// note is what is remembered of a resource that is being deleted.
type note struct {
	// done reports that GitHub has revoked the pairs, or was given up.
	done bool
	// failures counts the tries in a row that failed, next is when to try again by the monotonic clock, err is why the
	// last one failed, and living what it has left.
	failures int
	next     time.Duration
	err      error
	living   remains
	// hopeless reports that there is no use in another try, givenUp that an event has told so.
	hopeless, givenUp bool
	// queue is where a turn is waited for, and turn the host for whose credentials endpoint there is one.
	queue queue
	turn  string
	// waited reports that there was no turn at first, of which an event has told.
	waited bool
	// revoked are the pairs that GitHub has revoked. The backup may hold the same one, and asked for it once more
	// GitHub would know no such token.
	revoked map[tokens]bool
}

// Step is how far the revocation of a resource's pairs has come.
type Step struct {
	// Done reports that the resource may go: its pairs are revoked, or GitHub could not be brought to revoke them
	// in time, which an event tells.
	Done bool
	// RequeueAt is when to come back when it is not done, by the wall clock.
	RequeueAt time.Time
}

// Advance carries out deletionPolicy Revoke for a resource that is being deleted, by as much as can be done
// without waiting for GitHub. settle finds out about an exchange of unknown outcome before the pairs are revoked: it
// may have brought tokens that would live on. It returns in how long to come back; zero when there is nothing to
// find out. It is not called when the time is over. Errors are those of settle.
func (r *Revoker) Advance(ctx context.Context, token *v1alpha1.GitHubUserToken, settle func(context.Context) (time.Duration, error)) (Step, error) {
	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke {
		return Step{Done: true}, nil
	}
	var known note
	r.notes.Peek(token.UID, func(n *note) { known = *n })
	now := r.options.Clock.Now()
	most := maxTime
	if known.waited { // It is to have time for its request as well.
		most = maxTurnTime
	}
	left := r.leftFor(token, most)
	wait := known.next - r.options.Clock.Monotonic()
	switch {
	case known.done:
		return Step{Done: true}, nil
	case known.hopeless, left <= 0 && (known.failures > 0 || known.queue != (queue{})):
		r.giveUp(token, known.living, known.err)
		r.cancel(string(token.UID))
		r.notes.With(token.UID, func(n *note) { n.done, n.givenUp = true, true })
		return Step{Done: true}, nil
	case known.queue != (queue{}):
		if waiting := r.awaitTurn(token, known.queue, left); waiting != nil {
			return Step{RequeueAt: now.Add(min(max(time.Until(waiting.until), time.Second), left+time.Millisecond))}, nil
		}
		if known.queue.secret && wait > 0 {
			return Step{RequeueAt: now.Add(min(wait, max(left, 0)+time.Millisecond))}, nil
		}
	case wait > 0:
		return Step{RequeueAt: now.Add(min(wait, max(left, 0)+time.Millisecond))}, nil
	}
	if left > 0 {
		again, err := settle(ctx)
		if err != nil {
			return Step{}, err
		}
		if again > 0 {
			return Step{RequeueAt: now.Add(again)}, nil
		}
	}
	log := logr.FromContextOrDiscard(ctx)
	again := time.Minute // Its end has the resource reconciled before.
	of := runner.Subject{UID: token.UID, Namespace: token.Namespace, Host: r.options.Host(ctx, token), Operation: runner.Revocation}
	if r.options.Runner.Start(of, func() { r.revoke(log, token) }) != nil {
		again = time.Second // There is no room, or the process is about to exit.
	}
	return Step{RequeueAt: now.Add(again)}, nil
}

// leftFor is how much is left of the time that the deletion of a resource may take.
func (r *Revoker) leftFor(token *v1alpha1.GitHubUserToken, most time.Duration) time.Duration {
	return token.DeletionTimestamp.Add(most).Sub(r.options.Clock.Now())
}

// revoke makes one try to revoke all pairs of a resource, and notes how it ended.
func (r *Revoker) revoke(log logr.Logger, token *v1alpha1.GitHubUserToken) {
	ctx, cancel := r.options.Clock.WithTimeout(context.Background(), 2*callTimeout)
	defer cancel()
	living, err := r.revokeEach(ctx, token)
	waiting, waits := errors.AsType[*waitingError](err)
	now, tell := r.options.Clock.Monotonic(), false
	r.notes.With(token.UID, func(n *note) {
		n.done, n.err, n.living, n.hopeless, n.turn = err == nil, err, living, isHopeless(err), ""
		if waits {
			n.queue, tell, n.waited = waiting.in, !n.waited, true
			if n.queue.secret {
				n.next = now + time.Second // There may be no place to wait in.
			}
			return
		}
		n.failures++
		n.next = now + pauseAfter(err, n.failures)
	})
	if tell {
		r.tellWaiting(log, token, waiting)
	}
	if waits {
		return
	}
	if err == nil {
		r.cancel(string(token.UID)) // It may have waited there, and have had its other turn first.
	}
	if err != nil {
		log.Info("The pair could not be revoked at GitHub", "why", words.Of(err))
		return
	}
	revocations.WithLabelValues(resultRevoked).Inc()
	log.Info("The pair was revoked at GitHub")
}
