package words

import "github.com/githubusertoken/github-user-token-operator/internal/rotation"

// EndedAtGitHub says of a login whose end was asked for whether GitHub has ended its tokens, as far as the pair Secret tells; empty
// where it was not asked for.
func EndedAtGitHub(state *rotation.State) string {
	switch {
	case state == nil || !state.Login.IsAsked():
		return ""
	case state.Login.IsOpen(state.AccessToken, state.RefreshToken):
		return " GitHub has not ended its tokens yet: the operator is asking for it."
	case state.Login.Revocation.Done && !state.Login.Revocation.GivenUp:
		return " GitHub has ended its tokens."
	default:
		return " GitHub has not ended its tokens, and is not asked any more: the access token may work until it expires."
	}
}
