package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
)

// Policy is what a resource says about when to exchange.
type Policy struct {
	// RefreshBefore is how long before expiry the exchange is due; zero means a quarter of the lifetime.
	RefreshBefore time.Duration
	// HoldUntil puts a due exchange off, until a safe margin before expiry at most.
	HoldUntil time.Time
}

// TooLong reports whether RefreshBefore is not shorter than the lifetime that GitHub gives the access token. The default is
// used then: exchanging without end would be worse, and so would letting the token expire.
func (p Policy) TooLong(s *State) bool {
	return s.Expires() && p.RefreshBefore > 0 && p.RefreshBefore >= s.ExpiresAt.Sub(s.IssuedAt)+s.Shortened
}

// DueAt is when the pair is to be exchanged; zero when it never expires. Resources that were created
// together are spread by a jitter that is a function of the owner's UID: it is the same at each look, so
// that looking often cannot put an exchange off.
func (p Policy) DueAt(s *State) time.Time {
	if !s.Expires() {
		return time.Time{}
	}
	lifetime := s.ExpiresAt.Sub(s.IssuedAt)
	before := p.RefreshBefore
	if before <= 0 || before >= lifetime { // Also when only a wrong clock has made the lifetime so short.
		before = lifetime / 4
	}
	spread := min(before/10, (lifetime-before)/2)
	due := s.ExpiresAt.Add(-before - time.Duration(float64(spread)*backoff.Fraction(s.Owner)))
	if latest := s.ExpiresAt.Add(-lifetime / 16); p.HoldUntil.After(due) && latest.After(due) {
		due = earlier(p.HoldUntil, latest)
	}
	if end := s.RefreshTokenExpiresAt; !end.IsZero() && end.Before(s.ExpiresAt) {
		// The refresh token ends first, and must not do so unused.
		due = earlier(due, p.DueAt(&State{Owner: s.Owner, IssuedAt: s.IssuedAt, ExpiresAt: end}))
	}
	return due
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
