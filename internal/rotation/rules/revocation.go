package rules

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// revocation ends the login that the pair goes back to, when its person asks for it, and goes on until that is done: no token of
// it is exchanged meanwhile, and no later login takes its place, of which nobody would know then that this one lives on. Somebody's
// wish for quiet does not keep a person from it. An exchange of the chain's own token whose outcome is unknown is settled before the request is
// taken down: it may have brought tokens that would live on. Where that cannot be done before somebody changes something the person does not
// wait for it: what is known of the login is revoked.
func revocation(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || in.Pair.State.Owner != in.Owner.UID {
		return rotation.Decision{}, false
	}
	state, intent := &in.Pair.State, in.Pair.Intent
	isOpen := state.Login.IsOpen(state.AccessToken, state.RefreshToken)
	isNew := in.RevocationAsked && !state.Login.IsAsked() && (state.HasToken() || state.RefreshToken != "")
	switch {
	case !isOpen && !isNew:
		return rotation.Decision{}, false
	case intent != nil && in.intentMayBeAtWork():
		return wait(v1alpha1.ReasonOutcomeUnknown, in.Now.Add(max(rotation.IntentTimeout-in.IntentSeen, time.Second))), true
	case intent != nil && isNew && intent.Spends == state.RefreshToken && in.mayResolve():
		return rotation.Decision{}, false // See intentLeft.
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRevoke}), true
}

// mayResolve reports whether an exchange of the chain's own token can be settled without anybody's doing, as far as is known.
func (in Input) mayResolve() bool {
	return !in.Suspended && in.Pair.State.App == in.App && (in.Failure == nil || !in.Failure.Stalled && !in.Failure.OfApp)
}
