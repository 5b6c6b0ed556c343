// Package recovery computes what is known of a pair when its state was lost.
package recovery

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// documentedLifetime is GitHub's documented lifetime of an access token.
const documentedLifetime = 8 * time.Hour

// StateFromTokens computes what can be known of a pair whose state was lost from its tokens and the times that
// are stored beside them: enough to go on with the chain. The times are zero when they are not known.
func StateFromTokens(pair *rotation.Pair, expires, refreshTokenExpires time.Time) rotation.State {
	state := rotation.State{
		Owner: pair.Owner.UID, OwnerName: pair.Owner.Name, Revision: 1, Incomplete: true,
		AccessToken:           pair.AccessToken.Fingerprint(),
		RefreshToken:          pair.RefreshToken.Fingerprint(),
		ExpiresAt:             expires,
		RefreshTokenExpiresAt: refreshTokenExpires,
	}
	if state.PendingSeed = pair.LoginFromSeed(); state.PendingSeed == "" {
		state.PendingSeed = pair.SeedToken.Fingerprint()
	}
	if !expires.IsZero() {
		state.IssuedAt = expires.Add(-documentedLifetime) // When it was issued is not known.
	} else if state.RefreshToken != "" {
		// An access token that comes with a refresh token expires. When is not known any more, so a new pair is got.
		state.AccessToken = ""
	}
	return state
}
