package scope

import "github.com/githubusertoken/github-user-token-operator/internal/rotation"

// IsAccessTokenDead reports whether the access token is known to be dead before its expiry. An exchange ends it with the
// refresh token, whether or not its reply arrives; when the first half of a reply arrived, its access token is
// stored without a refresh token. A refusal alone does not tell: the refresh token may have expired.
func IsAccessTokenDead(s *rotation.State) bool {
	return s.AccessTokenEnded || s.Verdict != nil && s.Verdict.Reason == rotation.ReasonReplyLost && s.RefreshToken != ""
}
