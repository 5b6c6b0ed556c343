// Package clocks measures by the monotonic clock what is known of a pair: the wall clock may be set, or be wrong.
package clocks

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Clocks run on one pair: on its intent, and on its access token. The zero value has seen nothing.
type Clocks struct {
	// intent and intentSince say since when this process has been seeing an intent.
	intent      string
	intentSince time.Duration
	// access and refresh name the pair whose access token expires at expiresAt by the monotonic clock, and at expiresWall by
	// the wall clock. One token does not tell pairs apart: GitHub may repeat the other.
	access, refresh credential.Fingerprint
	expiresAt       time.Duration
	expiresWall     time.Time
}

// tolerance is how far the two clocks may come apart before the wall clock counts as set.
const tolerance = 2 * time.Second

// Watch starts the clocks on what is seen now, and reads them: for how long its intent has been seen, and in how long its access
// token expires; nil when it does not. To do it twice changes nothing.
func (c *Clocks) Watch(pair *rotation.Pair, now time.Time, mono time.Duration) (intentSeen time.Duration, expiresIn *time.Duration) {
	switch {
	case pair == nil || pair.Intent == nil:
		c.intent = ""
	case c.intent != pair.Intent.ID:
		c.intent, c.intentSince = pair.Intent.ID, mono
	}
	if c.intent != "" {
		intentSeen = mono - c.intentSince
	}
	if pair == nil || !pair.State.Expires() {
		c.access, c.refresh = "", ""
		return intentSeen, nil
	}
	if state := &pair.State; c.access != state.AccessToken || c.refresh != state.RefreshToken {
		// However wrong the clock was under which it was stored, or is now, no token outlives its lifetime from the
		// moment on in which it is seen.
		left := min(pair.State.ExpiresAt.Sub(now), pair.State.ExpiresAt.Sub(pair.State.IssuedAt))
		c.access, c.refresh, c.expiresAt, c.expiresWall = state.AccessToken, state.RefreshToken, mono+left, now.Add(left)
	}
	// As long as the wall clock is not set its time stays the same, so that no status is written for its last digit.
	if at := now.Add(c.expiresAt - mono); at.Sub(c.expiresWall).Abs() > tolerance {
		c.expiresWall = at
	}
	return intentSeen, new(c.expiresWall.Sub(now))
}
