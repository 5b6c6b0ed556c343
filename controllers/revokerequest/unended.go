package revokerequest

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// told is what was told last of a login whose end was asked for, or that has taken the place of one, and that GitHub has not ended.
type told struct{ login, what string }

// toldFor is for how long after it has happened that is told: a process that has just started does not know whether it was.
const toldFor = 7 * 24 * time.Hour

// What is told. Nobody has the tokens any more, so that their owner must act.
const (
	// replaced: a later login had been received before the request was taken down, and was stored after; or somebody has put one into the Secret.
	replaced = "Another login has taken the place of one whose end was asked for, before GitHub had ended that one. Its tokens are not known here any more: the access token works until it expires, and the refresh token may live for months. To revoke them now, their owner can revoke the App at https://%s/settings/apps/authorizations, which ends this login as well."
	// takenOut: somebody has emptied the Secret.
	takenOut = "The end of this login was asked for, and its tokens were taken out of the pair Secret before GitHub had ended them. They are not known here any more: the access token works until it expires, and the refresh token may live for months. To revoke them now, their owner can revoke the App at https://%s/settings/apps/authorizations."
)

// tellUnended tells of a login that GitHub has not ended although that was asked for, and that nobody can end any more.
func (r *Requests) tellUnended(s *scope.Scope) {
	if s.Pair == nil || !s.Pair.Controlled || s.Pair.State.Owner != s.Owner.UID {
		return
	}
	what, since := unended(&s.Pair.State)
	if what == "" || !since.IsZero() && s.Now.Sub(since) > toldFor {
		return
	}
	now, isTold := told{string(s.Pair.State.Login.First), what}, false
	r.told.With(s.Token.UID, func(m *told) { isTold, *m = *m == now, now })
	if !isTold {
		r.options.Events.Eventf(s.Token, nil, "Warning", revocation.EventRevocationFailed, "Revoke", what, hostOf(&s.Pair.State))
	}
}

// unended is what is to be told of the login of a state, and when it has happened at the earliest; empty when there is nothing to tell.
func unended(state *rotation.State) (what string, since time.Time) {
	switch login := state.Login; {
	case login.IsAsked() && !login.Revocation.Done && !state.HasToken() && state.RefreshToken == "":
		return takenOut, login.Revocation.RequestedAt
	case login != nil && login.Unended:
		return replaced, login.At
	default:
		return "", time.Time{}
	}
}
