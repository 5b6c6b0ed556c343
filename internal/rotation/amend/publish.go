package amend

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Publish gives the pair of an access token the number by which its token is published in place of another chain's, if the Secret holds this
// token and no exchange is under way that ends it. It returns the Secret as it was last seen, and whether it has that number or a higher one now.
func (a Amender) Publish(ctx context.Context, owner rotation.Owner, read *rotation.Pair, token credential.Fingerprint, number int64) (*rotation.Pair, bool, error) {
	return a.amend(ctx, owner, read.Ref, read, func(live *rotation.Pair) *rotation.Pair {
		if live.State.AccessToken != token || live.Intent != nil && live.Intent.Spends == live.State.RefreshToken {
			return nil
		}
		if live.State.Publication >= number {
			return live
		}
		next := live.Clone()
		next.State.Publication = number
		return next
	})
}
