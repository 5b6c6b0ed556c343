package tokencheck

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// deadAfter is for how long GitHub must refuse a token with which a login began before it counts as dead.
	// GitHub refuses good tokens too while they are seconds old.
	deadAfter = 2 * time.Minute
	// verifyTime is for how long at most GitHub is asked whose a received pair is: the lifetime that it gives to
	// access tokens. Its token dies then, and cannot be asked about any more.
	verifyTime = 8 * time.Hour
	// maxVerifyPause is the longest wait between two tries that GitHub can ask for.
	maxVerifyPause = time.Minute
	// quietTries is how many tries may fail before the status tells of it.
	quietTries = 2
)

// verifyBackoff is between two tries to learn whose a received pair is.
var verifyBackoff = backoff.Backoff{First: 250 * time.Millisecond, Max: 15 * time.Second}

// VerifyAccount is the Rotator's Admit. It asks GitHub whose a fresh pair is until there is an answer: the pair
// is in the outbox and cannot be had again, so only an answer, the end of the resource, or that of the access
// token ends it. A new token that GitHub refuses is asked about again for two minutes; an outage in between
// proves nothing, so that they begin anew. Errors: rotation.ErrWrongUser, ErrUserUnknown, ErrPairDead or
// ErrOwnerGone.
func (c *Checks) VerifyAccount(ctx context.Context, app github.App, record rotation.Record, tokens github.Tokens) (*rotation.User, error) {
	clock := c.options.Clock
	began := clock.Monotonic()
	patience := c.verifyWithin(record, tokens)
	// It is not begun anew when it has its turn, and so has a name of its own among those who wait.
	who := restlimit.Caller{UID: types.UID(record.Owner.UID), Namespace: record.Owner.Namespace, QueueID: "account " + record.ID}
	c.options.GitHub.Received(who.UID, app, tokens.AccessToken.Fingerprint())
	defer c.options.GitHub.Cancel(who.QueueID)
	var refusedSince *time.Duration
	for try := 1; ; try++ {
		user, err := c.user(ctx, who, app.Host, tokens.AccessToken)
		if err == nil {
			if !scope.Matches(*record.User, user) {
				return nil, fmt.Errorf("%w: it is %s (id %d)", rotation.ErrWrongUser, user.Login, user.ID)
			}
			return &user, nil
		}
		in, waits := waitingOf(err)
		var failed *github.Error
		switch now := clock.Monotonic(); {
		case waits: // Nobody was asked, which proves nothing either way.
		case !errors.As(err, &failed) || failed.Reason != github.TokenInvalid:
			refusedSince = nil
		case refusedSince == nil:
			refusedSince = &now
		case now-*refusedSince >= deadAfter && hasExpired(tokens, clock.Now()):
			return nil, fmt.Errorf("%w: its access token has expired meanwhile", rotation.ErrUserUnknown)
		case now-*refusedSince >= deadAfter:
			return nil, rotation.ErrPairDead
		}
		if !c.options.Wanted(ctx, record.Owner) {
			return nil, rotation.ErrOwnerGone
		}
		if clock.Monotonic()-began >= patience {
			return nil, fmt.Errorf("%w: %s", rotation.ErrUserUnknown, words.Of(err))
		}
		if waits || try > quietTries {
			c.options.StandAside(types.UID(record.Owner.UID))
			c.options.ReportTrouble(record.Owner, "GitHub has issued a new pair, which is kept safe. It is not stored until GitHub says whose it is, because spec.user is set: "+
				words.Of(err)+". The operator asks again within a minute.")
		}
		pause := verifyBackoff.After(try)
		if waits {
			pause = min(in, restlimit.PollEvery)
		} else if failed != nil {
			pause = min(max(pause, failed.RetryAfter), maxVerifyPause)
		}
		_ = clock.Sleep(ctx, pause)
	}
}

// hasExpired reports whether the access token of a received pair has reached its end by this clock: that GitHub refuses it then
// does not say that somebody has revoked it.
func hasExpired(tokens github.Tokens, now time.Time) bool {
	return !tokens.ExpiresAt.IsZero() && !now.Before(tokens.ExpiresAt.Add(tokens.Shortened))
}

// verifyWithin is how much longer VerifyAccount may take, restarts included. A wall clock that was set wrong must
// not end a pair at once.
func (c *Checks) verifyWithin(record rotation.Record, tokens github.Tokens) time.Duration {
	end := record.Reply.SentAt.Add(verifyTime)
	// By this clock, and not by GitHub's: it is this one that is asked again, and it may be wrong as it was then.
	if expires := tokens.ExpiresAt.Add(tokens.Shortened); !tokens.ExpiresAt.IsZero() && expires.Before(end) {
		end = expires
	}
	return min(max(end.Sub(c.options.Clock.Now()), deadAfter), verifyTime)
}
