// Package compared has every write of a pair Secret compared with what is stored. A mutating webhook or policy may change a
// write on its way, and the API server answers as if nothing were wrong.
package compared

import (
	"context"
	"fmt"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/jsonfields"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Store is a rotation.Store that compares what is stored with what was written. With rotation.ErrAltered its Create and
// Update return the Secret as it is stored. Labels, annotations and keys that are not the pair's are of no concern.
type Store struct{ rotation.Store }

// Create implements rotation.Store.
func (s Store) Create(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error) {
	stored, err := s.Store.Create(ctx, pair)
	if err != nil {
		return stored, err
	}
	sent := new(*pair)
	sent.Controlled, sent.Orphan = true, false
	return stored, Compare(new(rotation.Pair), sent, stored)
}

// Update implements rotation.Store.
func (s Store) Update(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	stored, err := s.Store.Update(ctx, current, next)
	if err != nil {
		return stored, err
	}
	return stored, Compare(current, next, stored)
}

// Compare is rotation.ErrAltered with what is stored otherwise than it was sent; nil when nothing is. Data of which the
// writer knew nothing, as when it had only the metadata, are not compared, nor what an older version has left in them and
// was taken out: the state says that it is of no use.
func Compare(current, sent, stored *rotation.Pair) error {
	var altered []string
	differs := func(what string, is bool) {
		if is {
			altered = append(altered, what)
		}
	}
	owned := stored.Controlled && stored.Owner.UID == sent.Owner.UID
	differs("the owner reference", sent.Controlled && !owned || sent.Orphan && !stored.Orphan)
	differs("annotation "+v1alpha1.AnnotationState, stored.StateLost && !sent.StateLost || !jsonfields.Same(sent.State, stored.State))
	differs("annotation "+v1alpha1.AnnotationIntent, !jsonfields.Same(sent.Intent, stored.Intent))
	for _, key := range []struct {
		name         string
		known        bool
		sent, stored credential.Fingerprint
	}{
		{v1alpha1.KeyAccessToken, !current.AccessToken.IsZero(), sent.AccessToken.Fingerprint(), stored.AccessToken.Fingerprint()},
		{v1alpha1.KeyRefreshToken, !current.RefreshToken.IsZero(), sent.RefreshToken.Fingerprint(), stored.RefreshToken.Fingerprint()},
		{v1alpha1.KeySeedRefreshToken, false, sent.SeedToken.Fingerprint(), stored.SeedToken.Fingerprint()},
		{v1alpha1.KeyDeviceCode, false, sent.DeviceCode.Fingerprint(), stored.DeviceCode.Fingerprint()},
	} {
		differs("key "+key.name, (key.known || key.sent != "") && key.sent != key.stored)
	}
	if len(altered) == 0 {
		return nil
	}
	return fmt.Errorf("%w: in Secret %s/%s, %s is not as it was written", rotation.ErrAltered, stored.Ref.Namespace, stored.Ref.Name, strings.Join(altered, ", "))
}
