package tokencheck

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// learnUser asks whose the stored pair is and writes it down, once for each login.
func (c *Checks) learnUser(ctx context.Context, t target) {
	live, err := c.options.Store.Get(ctx, t.ref)
	if err != nil || live.AccessToken.Fingerprint() != t.token {
		return // It has just been replaced; GitHub is asked again.
	}
	c.learnUserOf(ctx, t, live)
}

// learnUserOf asks whose a pair is, which was just read or stored, and writes it down.
func (c *Checks) learnUserOf(ctx context.Context, t target, live *rotation.Pair) {
	log := logr.FromContextOrDiscard(ctx)
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

// learnTime is how long Learn may take.
const learnTime = time.Second

// Learn asks whose a pair of a resource is that was just stored, and writes it down, unless that is known: so the first status that
// tells of the pair tells whose it is, and no other need be written a moment later. It is part of the work that has stored the
// pair, and takes a moment at most. What is not learnt in it is asked for like that of any other pair.
func (c *Checks) Learn(ctx context.Context, token *v1alpha1.GitHubUserToken, app github.App, stored *rotation.Pair) {
	state := &stored.State
	if state.User != nil || stored.AccessToken.IsZero() || stored.AccessToken.Fingerprint() != state.AccessToken || state.Owner != string(token.UID) ||
		state.App != app.Key() || scope.IsAccessTokenDead(state) || c.options.GitHub.CheckHost(app.Host) != nil {
		return
	}
	ctx, cancel := c.options.Clock.WithTimeout(ctx, learnTime)
	defer cancel()
	t := target{owner: stored.Owner, ref: stored.Ref, app: app, token: state.AccessToken}
	now := c.options.Clock.Monotonic()
	c.notes.With(token.UID, func(n *note) {
		if *n == (note{}) {
			n.standing = told(token)
		}
		n.userTries++
		n.userAt = now + userBackoff.After(n.userTries)
	})
	c.learnUserOf(ctx, t, stored)
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
