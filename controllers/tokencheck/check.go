package tokencheck

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// youngToken is for how long after its issue a token that GitHub refuses may still be good.
const youngToken = time.Minute

// answer is what GitHub says of an access token.
type answer string

const (
	alive   answer = "alive"
	dead    answer = "dead"
	unknown answer = "unknown"
	// refused: GitHub refused the check because of a wrong client secret. Only a person can correct that, and
	// GitHub shuts out who sends wrong credentials again and again.
	refused answer = "refused"
	// barred: GitHub knows the token, and lets its account do nothing.
	barred answer = "barred"
	// waiting: GitHub was not asked, since there was no turn.
	waiting answer = "waiting"
)

// waitingOf reports whether GitHub was not asked, since there was no turn, and in how long there will be one about.
func waitingOf(err error) (in time.Duration, waits bool) {
	failed, waits := errors.AsType[*restlimit.WaitingError](err)
	if !waits {
		return 0, false
	}
	return max(time.Until(failed.Until), time.Second), true // The limiter has the real clock.
}

// check makes one check of spec.checkInterval.
func (c *Checks) check(ctx context.Context, t target) {
	found, retryAfter, standing := c.ask(ctx, t, youngToken)
	switch found {
	case waiting:
		now := c.options.Clock.Monotonic()
		c.notes.Peek(t.uid(), func(n *note) { n.checkAt = now + afterTurn })
		return
	case barred:
		believed, now := false, c.options.Clock.Monotonic()
		c.notes.Peek(t.uid(), func(n *note) {
			if *n, believed = bar(*n, t, standing); !believed {
				_, confirm := pace(t.interval)
				n.checkAt = now + confirm
			}
		})
		if !believed {
			return // The second answer decides.
		}
	case alive:
		if t.knownDead {
			c.clearRevoked(ctx, t)
		}
	case dead:
		believed, now := false, c.options.Clock.Monotonic()
		c.notes.Peek(t.uid(), func(n *note) { *n, believed = foundDead(*n, t, now) })
		if !believed {
			logr.FromContextOrDiscard(ctx).Info("GitHub says that the access token is dead; it is checked again in a moment", "token", t.token.Short())
			return // The second answer decides.
		}
		c.markRevoked(ctx, t)
	}
	now := c.options.Clock.Monotonic()
	c.notes.Peek(t.uid(), func(n *note) { *n = stand(checked(*n, found, retryAfter, now), found, standing) })
}

// ask asks GitHub once whether the stored access token is alive, and what else there is to say of it. A rate limit, an outage, and a refusal of a
// token that is younger than youngFor say nothing. retryAfter is in how long it is worth to ask again; zero when
// that is not known.
func (c *Checks) ask(ctx context.Context, t target, youngFor time.Duration) (found answer, retryAfter time.Duration, standing scope.Standing) {
	defer func() {
		if found != waiting {
			tokenChecks.WithLabelValues(string(found)).Inc()
		}
	}()
	ctx, cancel := c.options.Clock.WithTimeout(ctx, callTimeout)
	defer cancel()
	live, err := c.options.Store.Get(ctx, t.ref)
	if err != nil || live.AccessToken.Fingerprint() != t.token {
		return unknown, 0, scope.Standing{}
	}
	check, err := c.options.GitHub.CheckToken(ctx, t.caller(), t.app, live.AccessToken)
	if in, waits := waitingOf(err); waits {
		return waiting, in, scope.Standing{}
	}
	var failed *github.Error
	switch {
	case errors.As(err, &failed) && failed.Reason == github.IncorrectClientCredentials:
		return refused, failed.RetryAfter, scope.Standing{}
	case errors.As(err, &failed):
		// What an App is told when it asks with its secret is about whoever owns the App, for all that is known.
		if standing = standingOf(failed); standing.IsBarred() && t.app.ClientSecret.IsZero() {
			return barred, failed.RetryAfter, standing
		} else if standing.IsBarred() {
			standing = scope.Standing{}
		}
		return unknown, failed.RetryAfter, standing
	case err != nil:
		return unknown, 0, scope.Standing{}
	case check.Alive:
		return alive, 0, scope.Standing{Message: words.Sentence(check.HidesFrom)}
	}
	if age := c.options.Clock.Now().Sub(live.State.IssuedAt); age >= 0 && age < youngFor {
		return unknown, youngFor - age, scope.Standing{}
	}
	return dead, 0, scope.Standing{}
}

// markRevoked writes down that the access token has ended, unless an exchange has ended it: one of this
// process or, as its intent tells, of another.
func (c *Checks) markRevoked(ctx context.Context, t target) {
	if c.options.Busy(t.uid()) || t.knownDead {
		return
	}
	log := logr.FromContextOrDiscard(ctx)
	amended, revoked, err := c.options.Amender.MarkRevoked(ctx, t.owner, t.ref, t.token)
	if err != nil {
		log.Info("A revocation could not be written down; a later check finds it again", "why", words.Of(err))
		return
	}
	c.options.RememberNewer(t.uid(), amended)
	if revoked {
		log.Info("The access token has ended at GitHub ahead of its expiry", "token", t.token.Short())
	}
	c.options.Wake(t.name())
}

// clearRevoked takes back that the access token has ended.
func (c *Checks) clearRevoked(ctx context.Context, t target) {
	log := logr.FromContextOrDiscard(ctx)
	amended, cleared, err := c.options.Amender.ClearRevoked(ctx, t.owner, t.ref, t.policy, t.token)
	if err != nil {
		log.Info("That the access token is alive after all could not be written down", "why", words.Of(err))
		return
	}
	c.options.RememberNewer(t.uid(), amended)
	if cleared {
		log.Info("GitHub accepts the access token again", "token", t.token.Short())
	}
}
