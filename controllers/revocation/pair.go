package revocation

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// callTimeout bounds the revocation of one pair.
	callTimeout = 10 * time.Second
	// youngToken is for how long after its issue a token that GitHub does not know may still be good.
	youngToken = time.Minute
	// clockDoubt is for how long after its expiry an access token may be alive after all: the clock may be ahead, now or
	// in the process that noted the expiry, which is earlier than GitHub's where it was found to be wrong.
	clockDoubt = 24 * time.Hour
)

// pair is a pair to be revoked.
type pair struct {
	// app is the App (host/clientID) that the pair belongs to.
	app     string
	access  credential.AccessToken
	refresh credential.RefreshToken
	// issued is when the pair was asked for, and expires when the access token dies by itself; zero when never.
	issued, expires time.Time
	// ended reports that GitHub did not take the access token any more when it was last asked.
	ended bool
	// verdict is what is known against the refresh token; nil when nothing is.
	verdict *rotation.Verdict
}

// tokens names the two tokens of a pair.
type tokens struct{ access, refresh credential.Fingerprint }

func (p pair) tokens() tokens { return tokens{p.access.Fingerprint(), p.refresh.Fingerprint()} }

func (p pair) host() string { return hostOf(p.app) }

// hostOf is the host of an App's key.
func hostOf(app string) string {
	host, _, _ := strings.Cut(app, "/")
	return host
}

// isCondemned reports whether GitHub has refused the refresh token for good, or there is none.
func (p pair) isCondemned() bool {
	return p.refresh.IsZero() || p.verdict != nil && p.verdict.Fingerprint == p.refresh.Fingerprint() && p.verdict.AgainAt.IsZero()
}

// isYoung reports whether GitHub may not know the access token yet.
func (p pair) isYoung(now time.Time) bool {
	age := now.Sub(p.issued)
	return age >= 0 && age < youngToken
}

// isDead reports whether the access token needs no revocation: because GitHub has said so, or because it expired so long
// ago that no clock can be to blame.
func (p pair) isDead(now time.Time) bool {
	return p.access.IsZero() || p.ended || p.hasExpired(now.Add(-clockDoubt))
}

// hasExpired reports whether the access token has expired, if the clock is right.
func (p pair) hasExpired(now time.Time) bool { return !p.expires.IsZero() && !now.Before(p.expires) }

// revokePair revokes one pair: through the App while the access token may live, which names the whole pair, and
// otherwise by its tokens, which are authority enough to revoke themselves: those of them that are not known to be
// dead. That the App knows no such access token says nothing of the refresh token, and of a young pair nothing at all.
// For what has expired by the clock, and is all that is left, no turn is waited for. A client secret that would have its turn
// too late is not waited for either while the tokens' own endpoint may be asked: that has a limit of its own.
func (r *Revoker) revokePair(ctx context.Context, a asker, app github.App, p pair) error {
	if p.access.IsZero() && p.refresh.IsZero() {
		return nil
	}
	ctx, cancel := r.options.Clock.WithTimeout(ctx, callTimeout)
	defer cancel()
	now := r.options.Clock.Now()
	young, dead := p.isYoung(now), p.isDead(now)
	var unknown error
	var untried *waitingError
	if !app.ClientSecret.IsZero() && !dead {
		err := r.options.GitHub.RevokeToken(ctx, a.who, app, p.access)
		if waiting, ok := errors.AsType[*restlimit.WaitingError](err); ok {
			untried = &waitingError{queue{host: waiting.Host, secret: true, only: a.secretOnly}, waiting.Until}
		}
		var failed *github.Error
		switch {
		case untried != nil && (a.secretOnly || !untried.isLaterThan(a.left)):
			return untried
		case untried != nil:
		case err == nil || !errors.As(err, &failed):
			return err
		case failed.Reason == github.TokenInvalid:
			unknown, dead = err, !young
		case failed.Reason != github.IncorrectClientCredentials && failed.Reason != github.NotSupported:
			return err
		}
	}
	access, refresh := p.access, p.refresh
	if dead {
		access = credential.AccessToken{}
	}
	if p.isCondemned() {
		refresh = credential.RefreshToken{}
	}
	if access.IsZero() && refresh.IsZero() {
		return nil
	}
	host := p.host()
	doubtful := refresh.IsZero() && p.hasExpired(now)
	if waiting := a.turn(host); waiting != nil {
		switch {
		case doubtful:
			return nil
		case untried != nil:
			return untried // The estimate is that of the worst case.
		default:
			return waiting
		}
	}
	err := r.options.GitHub.RevokeCredentials(ctx, app.Host, access, refresh)
	r.pauseCredentials(host, err)
	switch {
	case !isHopeless(err):
		return err
	case doubtful:
		return nil
	case untried != nil:
		untried.in.only = true
		return untried
	case unknown != nil && young:
		return unknown // The App may know the token in a moment.
	default:
		return err
	}
}

// isHopeless reports whether there is no use in asking GitHub again.
func isHopeless(err error) bool {
	if errors.Is(err, errCodeUnknown) {
		return true
	}
	var failed *github.Error
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.Reason {
	case github.NotSupported, github.HostMalformed, github.HostNotAllowed, github.InvalidRequest:
		return true
	default:
		return false
	}
}
