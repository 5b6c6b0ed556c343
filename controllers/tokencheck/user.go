package tokencheck

import (
	"context"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// learnUser asks whose the stored pair is and writes it down, once for each login.
func (c *Checks) learnUser(ctx context.Context, t target) {
	log := logr.FromContextOrDiscard(ctx)
	live, err := c.options.Store.Get(ctx, t.ref)
	if err != nil || live.AccessToken.Fingerprint() != t.token {
		return // It has just been replaced; GitHub is asked again.
	}
	user, err := c.user(ctx, t.caller(), t.app.Host, live.AccessToken)
	if _, waits := waitingOf(err); waits {
		now := c.options.Clock.Monotonic()
		c.notes.Peek(t.uid(), func(n *note) { n.userTries, n.userAt = n.userTries-1, now+afterTurn })
		return
	}
	standing, isBarred := barringOf(err)
	c.notes.Peek(t.uid(), func(n *note) {
		if isBarred {
			*n, _ = bar(*n, t, standing)
		} else if err == nil && n.standing.IsBarred() {
			*n = stand(*n, alive, scope.Standing{})
		}
	})
	if err != nil {
		log.V(1).Info("GitHub did not say whose the token is", "why", words.Of(err))
		return
	}
	amended, _, err := c.options.Amender.LearnUser(ctx, t.owner, live, user)
	if err != nil {
		log.V(1).Info("Whose the token is could not be written down", "why", words.Of(err))
		return
	}
	c.options.RememberNewer(t.uid(), amended)
}

// user asks GitHub once whose a token is.
func (c *Checks) user(ctx context.Context, who restlimit.Caller, host string, token credential.AccessToken) (rotation.User, error) {
	ctx, cancel := c.options.Clock.WithTimeout(ctx, callTimeout)
	defer cancel()
	user, err := c.options.GitHub.User(ctx, who, host, token)
	if err != nil {
		return rotation.User{}, err
	}
	return rotation.User{Login: user.Login, ID: user.ID}, nil
}
