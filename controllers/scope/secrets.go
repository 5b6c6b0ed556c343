package scope

import "github.com/githubusertoken/github-user-token-operator/internal/rotation"

// SecretsOf are the secrets in a pair that was read with its data: what must not be quoted. Without a pair there
// are none.
func SecretsOf(pair *rotation.Pair) []string {
	if pair == nil {
		return nil
	}
	return []string{pair.AccessToken.Reveal(), pair.RefreshToken.Reveal(), pair.SeedToken.Reveal(), pair.DeviceCode.Reveal()}
}
