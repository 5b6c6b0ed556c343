package revokerequest

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// told is of which login it was told that it has taken the place of one that had not ended.
type told struct{ login string }

// toldFor is for how long after a login that is told: a process that has just started does not know whether it was.
const toldFor = 7 * 24 * time.Hour

// tellUnended tells of a login that was replaced before GitHub had ended it, although that was asked for: a later one had been received before
// the request was taken down, and was stored after. Nobody has its tokens any more, so that its owner must act.
func (r *Requests) tellUnended(s *scope.Scope) {
	if s.Pair == nil || !s.Pair.Controlled || s.Pair.State.Owner != s.Owner.UID {
		return
	}
	login := s.Pair.State.Login
	if login == nil || !login.Unended || !login.At.IsZero() && s.Now.Sub(login.At) > toldFor {
		return
	}
	isTold := false
	r.told.With(s.Token.UID, func(m *told) { isTold, m.login = m.login == string(login.First), string(login.First) })
	if isTold {
		return
	}
	r.options.Events.Eventf(s.Token, nil, "Warning", revocation.EventRevocationFailed, "Revoke",
		"Another login has taken the place of one whose end was asked for, before GitHub had ended that one. Its tokens are not known here any more: the access token works until it expires, and the refresh token may live for months. To revoke them now, their owner can revoke the App at https://%s/settings/apps/authorizations, which ends this login as well.",
		hostOf(&s.Pair.State))
}
