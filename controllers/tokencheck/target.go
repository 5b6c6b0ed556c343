package tokencheck

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// target is the stored access token of a resource, and what there is to ask about it.
type target struct {
	owner  rotation.Owner
	ref    rotation.Ref
	app    github.App
	policy rotation.Policy
	// queueID is that of restlimit.Caller.
	queueID string
	// token names the access token.
	token credential.Fingerprint
	// interval is how often to check it; zero when it is not checked.
	interval time.Duration
	// userUnknown reports that GitHub is to be asked whose the token is.
	userUnknown bool
	// knownDead reports that GitHub has said that the token is dead.
	knownDead bool
	// ended reports that the chain has come to its end a short while ago, so that a check is what tells whether the token has, too.
	ended bool
}

func (t target) uid() types.UID { return types.UID(t.owner.UID) }

// subject is whose work it is to ask.
func (t target) subject() runner.Subject {
	return runner.Subject{UID: t.uid(), Namespace: t.owner.Namespace, Host: t.app.Host, Operation: runner.Check}
}

// caller is who asks.
func (t target) caller() restlimit.Caller {
	return restlimit.Caller{UID: t.uid(), Namespace: t.owner.Namespace, QueueID: t.queueID}
}

func (t target) name() types.NamespacedName {
	return types.NamespacedName{Namespace: t.owner.Namespace, Name: t.owner.Name}
}

// targetOf is what there is to ask about a resource; ok is false when there is nothing.
func targetOf(s *scope.Scope) (t target, ok bool) {
	state := s.Stored()
	if !s.App.IsKnown() || state == nil || !state.HasToken() || s.Pair.Deleting || state.Owner != s.Owner.UID || state.App != s.Input.App ||
		(state.Expires() && !s.Now.Before(s.ExpiresAt())) {
		return target{}, false
	}
	t = target{
		owner: s.Owner, ref: s.Ref, app: s.App.App, policy: s.Input.Policy, token: state.AccessToken,
		knownDead: state.AccessTokenEnded,
	}
	isDead := scope.IsAccessTokenDead(state)
	t.userUnknown = state.User == nil && !isDead
	switch {
	case !t.knownDead && isDead:
		// There is nothing to ask: an exchange has ended the token.
	case s.Token.Spec.CheckInterval != nil:
		t.interval, t.ended = s.Token.Spec.CheckInterval.Duration, endedLately(s, state)
	case t.knownDead:
		t.interval = deadCheck // A webhook has told; a mistake is to be noticed all the same.
	case state.Verdict != nil:
		t.interval, t.ended = deadCheck, endedLately(s, state) // What ended the refresh token may have ended this one: nobody is to be told that it works.
	}
	return t, t.userUnknown || t.interval > 0
}

// endedLately reports that a chain has come to its end since the last check that its end alone would call for. Others are not asked about
// all at once when the operator starts.
func endedLately(s *scope.Scope, state *rotation.State) bool {
	return state.Verdict != nil && s.Now.Sub(state.Verdict.Time) < deadCheck
}
