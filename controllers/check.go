package controllers

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// youngToken is for how long after its issue a token that GitHub refuses may still be good.
	youngToken = time.Minute
	// confirmAfter is the longest time between an answer that a token is dead and the one that confirms it.
	confirmAfter = 5 * time.Second
	// revokedCheck is the shortest time between two checks of a token that GitHub has said is dead, which are
	// there to notice a mistake: GitHub shuts out who presents bad tokens too often.
	revokedCheck = 15 * time.Minute
)

// answer is what GitHub says of an access token.
type answer string

const (
	answerAlive   answer = "alive"
	answerDead    answer = "dead"
	answerUnknown answer = "unknown"
	// answerRefused: GitHub did not take the question because of a wrong client secret. Only a person can mend that,
	// and GitHub shuts out who sends wrong credentials again and again.
	answerRefused answer = "refused"
)

// checkAlive asks GitHub once whether the stored access token is alive. A rate limit, an outage, and a
// refusal of a token that is younger than youngFor say nothing.
func (r *Reconciler) checkAlive(ctx context.Context, asked question, youngFor time.Duration) (answer, time.Duration) {
	found, retryAfter := r.askAlive(ctx, asked, youngFor)
	tokenChecks.WithLabelValues(string(found)).Inc()
	return found, retryAfter
}

func (r *Reconciler) askAlive(ctx context.Context, asked question, youngFor time.Duration) (answer, time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	live, err := r.Store.Get(ctx, asked.ref)
	if err != nil || live.AccessToken.Fingerprint() != asked.access {
		return answerUnknown, 0
	}
	alive, err := r.GitHub.CheckToken(ctx, asked.app, live.AccessToken)
	var failed *github.Error
	switch {
	case errors.As(err, &failed) && failed.Reason == github.IncorrectClientCredentials:
		return answerRefused, failed.RetryAfter
	case errors.As(err, &failed):
		return answerUnknown, failed.RetryAfter
	case err != nil:
		return answerUnknown, 0
	case alive:
		return answerAlive, 0
	}
	if age := r.Clock.Now().Sub(live.State.IssuedAt); age >= 0 && age < youngFor {
		return answerUnknown, youngFor - age
	}
	return answerDead, 0
}

// check is the question of spec.checkInterval.
func (r *Reconciler) check(ctx context.Context, log logr.Logger, asked question) {
	found, retryAfter := r.checkAlive(ctx, asked, youngToken)
	switch found {
	case answerAlive:
		if asked.revoked {
			r.takeBackRevocation(ctx, log, asked)
		}
	case answerDead:
		if !r.questions.confirms(asked) {
			log.Info("GitHub says that the access token is dead; it is asked again in a moment", "token", asked.access.Short())
			return // The second answer decides.
		}
		r.believeRevoked(ctx, log, asked)
	}
	r.questions.checked(asked, found, retryAfter)
}

// believeRevoked writes down that the access token has ended, unless an exchange has ended it: one of this
// process or, as its intent tells, of another.
func (r *Reconciler) believeRevoked(ctx context.Context, log logr.Logger, asked question) {
	if r.Flights.Busy(asked.uid) || asked.revoked {
		return
	}
	amended, revoked, err := r.Rotator.MarkRevoked(ctx, asked.owner, asked.ref, asked.access)
	if err != nil {
		log.Info("A revocation could not be written down; it is found out again", "why", words(err))
		return
	}
	r.rememberNewer(asked.uid, amended)
	if revoked {
		log.Info("The access token has ended at GitHub ahead of its expiry", "token", asked.access.Short())
	}
	r.queue.add(asked.name())
}

func (r *Reconciler) takeBackRevocation(ctx context.Context, log logr.Logger, asked question) {
	amended, cleared, err := r.Rotator.ClearRevoked(ctx, asked.owner, asked.ref, asked.policy, asked.access)
	if err != nil {
		log.Info("That the access token is alive after all could not be written down", "why", words(err))
		return
	}
	r.rememberNewer(asked.uid, amended)
	if cleared {
		log.Info("GitHub takes the access token again", "token", asked.access.Short())
	}
}

// pace is the time between two checks, and between an answer that the token is dead and the question that
// confirms it: together no longer than the interval that was asked for.
func pace(interval time.Duration) (every, confirm time.Duration) {
	confirm = min(confirmAfter, interval/5)
	return interval - 2*confirm, confirm
}

// firstCheck spreads the first checks of many resources over one interval, the same for each at every start.
func firstCheck(owner rotation.Owner, every time.Duration) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(owner.UID))
	return time.Duration(float64(hash.Sum32()) / (1 << 32) * float64(every))
}
