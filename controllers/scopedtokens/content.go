package scopedtokens

import (
	"maps"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// derived is a pair as the formats of outputs take it, with the output's own token in the place of the user's and no refresh token.
// Without a scope it is the user's.
func derived(spec *v1alpha1.Output, user *rotation.Pair, l ledger, there tokens) *rotation.Pair {
	if spec.Scope == nil {
		return user
	}
	pair := user.Clone()
	pair.AccessToken, pair.RefreshToken, pair.State.AccessToken, pair.State.RefreshToken = credential.AccessToken{}, credential.RefreshToken{}, "", ""
	if l.Current != nil {
		pair.AccessToken, pair.State.AccessToken = there[l.Current.Token], l.Current.Token
		// It may end with the user's, whatever GitHub says of its own expiry.
		pair.State.ExpiresAt = backoff.Earliest(user.State.ExpiresAt, l.Current.ExpiresAt)
	}
	return pair
}

// metadataOf is the metadata that an output is to have, and the keys of its data, which need no token.
func metadataOf(spec *v1alpha1.Output, user *rotation.Pair, l ledger) (format.Metadata, []string) {
	pair := derived(spec, user, l, nil)
	defaults := format.DefaultsOf(pair)
	wanted, keys := format.MetadataFor(*spec, pair, defaults), format.Keys(*spec, pair, defaults)
	if text := l.text(); text != "" {
		wanted.Annotations[v1alpha1.AnnotationScopedTokens] = text
	}
	if len(l.entries()) > 0 {
		keys = append(keys, v1alpha1.KeyScopedTokens)
		slices.Sort(keys)
	}
	return wanted, keys
}

// contentOf is what an output is to be. An error says what in its spec is wrong.
func contentOf(spec *v1alpha1.Output, user *rotation.Pair, l ledger, there tokens) (outputs.Content, error) {
	pair := derived(spec, user, l, there)
	rendered, err := format.Render(*spec, pair, format.DefaultsOf(pair))
	if err != nil {
		return outputs.Content{}, outputs.Invalid(err)
	}
	content := outputs.Content{Rendered: rendered, Secrets: []string{pair.AccessToken.Reveal()}}
	content.Wanted, _ = metadataOf(spec, user, l)
	if data := there.of(l); len(data) > 0 {
		content.Data[v1alpha1.KeyScopedTokens] = data
	}
	for _, token := range there {
		content.Secrets = append(content.Secrets, token.Reveal())
	}
	return content, nil
}

// with are the tokens with one more.
func (t tokens) with(token credential.AccessToken) tokens {
	more := maps.Clone(t)
	if more == nil {
		more = tokens{}
	}
	more[token.Fingerprint()] = token
	return more
}

// entryOf is the entry of a token that was just made. Times are kept in whole seconds.
func entryOf(token credential.AccessToken, issued, expires time.Time) entry {
	e := entry{Token: token.Fingerprint(), IssuedAt: issued.UTC().Truncate(time.Second)}
	if !expires.IsZero() {
		e.ExpiresAt = expires.UTC().Truncate(time.Second)
	}
	return e
}
