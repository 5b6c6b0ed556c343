package origin

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// User is a GitHub account.
type User struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
}

// Login is the login of a chain. Another login is another Login as a whole, so that nothing which is said of one can be
// taken for the next one's. One is never changed in place.
type Login struct {
	// First names the token with which the chain began, or that of the pair that was stored when the login was first seen where that is not known.
	First credential.Fingerprint `json:"first"`
	// At is when its first pair was asked for; zero when that is not known.
	At time.Time `json:"at,omitzero"`
	// Revocation is what its person has asked for; nil when they have not.
	Revocation *Revocation `json:"revocation,omitempty"`
	// Unended says that this login has taken the place of one whose end was asked for, before GitHub had ended that one.
	Unended bool `json:"unended,omitempty"`
}

// Revocation is the revocation of a login for which its person has asked. It is written before GitHub is asked: as long as it is
// open no token of the login is exchanged, also when an answer is lost, or the process dies.
type Revocation struct {
	// RequestedAt is when it was taken down.
	RequestedAt time.Time `json:"requestedAt"`
	// Done says that it has ended for the pair that Access and Refresh name. One that is stored after that is revoked as well.
	Done    bool                   `json:"done,omitempty"`
	Access  credential.Fingerprint `json:"access,omitempty"`
	Refresh credential.Fingerprint `json:"refresh,omitempty"`
	// GivenUp says that GitHub could not be brought to end that pair.
	GivenUp bool `json:"givenUp,omitempty"`
}

// Asked is the login with the request for its revocation.
func (l Login) Asked(now time.Time) *Login {
	l.Revocation = &Revocation{RequestedAt: now}
	return &l
}

// Ended is the login after its revocation has ended for a pair: revoked says that GitHub has made it, and otherwise it was given up.
func (l Login) Ended(access, refresh credential.Fingerprint, revoked bool) *Login {
	ended := *l.Revocation
	ended.Done, ended.Access, ended.Refresh, ended.GivenUp = true, access, refresh, !revoked
	l.Revocation = &ended
	return &l
}

// IsAsked reports whether the revocation of a login was taken down, whether it has ended or not.
func (l *Login) IsAsked() bool { return l != nil && l.Revocation != nil }

// IsOpen reports whether a pair of the login is still to be revoked.
func (l *Login) IsOpen(access, refresh credential.Fingerprint) bool {
	if !l.IsAsked() || access == "" && refresh == "" {
		return false
	}
	ended := l.Revocation
	return !ended.Done || ended.Access != access || ended.Refresh != refresh
}

// ReplacedBy is a login that takes the place of this one, of which access and refresh are stored. These go, and nobody can revoke them any
// more: that has to be told where their end was asked for.
func (l *Login) ReplacedBy(first credential.Fingerprint, at time.Time, access, refresh credential.Fingerprint) *Login {
	next := &Login{First: first, At: at}
	switch {
	case l == nil:
	case l.First == first: // It was stored before, and altered.
		next.Unended = l.Unended
		return next.Merged(l)
	case l.IsOpen(access, refresh):
		next.Unended = true
	}
	return next
}

// After is the login of a chain after an exchange: live is that of the Secret as it is, and base as it was at the fence. The pair
// goes on from the chain at the fence, whatever somebody has put into the Secret since; but that its revocation was asked
// for meanwhile is kept. name is what the login was called at the fence: where nothing else is known of it that stays its name, so that
// what was asked of it by that name is still asked of it.
func After(live, base *Login, name credential.Fingerprint) *Login {
	if base == nil {
		base = &Login{First: name}
	}
	return base.Merged(live)
}

// Merged is the login of one of two copies of a pair, with what the other one knows of the same login.
func (l *Login) Merged(other *Login) *Login {
	if l == nil || l.IsAsked() || !other.IsAsked() || l.First != other.First {
		return l
	}
	return other
}
