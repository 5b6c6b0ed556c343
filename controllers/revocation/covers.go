package revocation

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Covers reports whether a pair, read live, may go with its resource: GitHub has revoked this very pair, or was
// given up. A pair that was stored since, by an exchange that another replica had begun, or that may still be
// being exchanged, begins the revocation anew.
func (r *Revoker) Covers(token *v1alpha1.GitHubUserToken, live *rotation.Pair) (covered bool) {
	holds := tokens{live.AccessToken.Fingerprint(), live.RefreshToken.Fingerprint()}
	inTime := token.DeletionTimestamp.Add(maxTime).After(r.options.Clock.Now())
	known := r.notes.Peek(token.UID, func(n *note) {
		switch {
		case n.givenUp, (holds == tokens{} || n.revoked[holds]) && (live.Intent == nil || !inTime):
			covered = true
		default:
			*n = note{revoked: n.revoked}
		}
	})
	return covered || !known && !inTime
}
