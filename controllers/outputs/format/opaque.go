package format

import "github.com/githubusertoken/github-user-token-operator/api/v1alpha1"

// opaque is the token under a key of one's own choice, with its expiry and, if asked for, the refresh token.
var opaque = descriptor{
	key: v1alpha1.KeyAccessToken, refreshToken: true,
	values: []value{
		{of: accessToken},
		{key: v1alpha1.KeyExpiresAt, of: expiry},
		{key: v1alpha1.KeyRefreshToken, of: refreshToken, wanted: func(s settings) bool { return s.WithRefreshToken }},
	},
}
