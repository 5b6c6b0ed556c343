package tokencheck

import (
	"cmp"
	"context"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Issued asks GitHub whose a pair is that was just stored, with its token in hand and in the work that has stored it. So a first
// pair costs no read and no second status. It returns soon; what GitHub has not said by then Sync asks about again.
func (c *Checks) Issued(log logr.Logger, token *v1alpha1.GitHubUserToken, app github.App, pair *rotation.Pair) {
	state := &pair.State
	if state.User != nil || !state.HasToken() || scope.IsAccessTokenDead(state) || pair.AccessToken.Fingerprint() != state.AccessToken ||
		!pair.Controlled || pair.Owner.UID != string(token.UID) || c.options.GitHub.CheckHost(app.Host) != nil {
		return
	}
	t := target{owner: scope.OwnerOf(token), ref: pair.Ref, app: app, token: state.AccessToken, userUnknown: true}
	now := c.options.Clock.Monotonic()
	c.notes.With(t.uid(), func(n *note) {
		n.standing = cmp.Or(n.standing, told(token))
		n.userTries, n.userAt = 1, now+userBackoff.After(1)
	})
	ctx, cancel := c.options.Clock.WithTimeout(logr.NewContext(context.Background(), log), userBackoff.After(1))
	defer cancel()
	c.learn(ctx, t, pair)
}

// learnUser asks whose the stored pair is and writes it down, once for each login.
func (c *Checks) learnUser(ctx context.Context, t target) {
	live, err := c.options.Store.Get(ctx, t.ref)
	if err != nil || live.AccessToken.Fingerprint() != t.token {
		return // It has just been replaced; GitHub is asked again.
	}
	c.learn(ctx, t, live)
}

// learn asks whose a pair is, given as it is stored, and writes it down.
func (c *Checks) learn(ctx context.Context, t target, live *rotation.Pair) {
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
