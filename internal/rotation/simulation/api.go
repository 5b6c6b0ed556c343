package simulation

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var _ lifecycle.API = store{}

// ReadSecret implements seeds.Source: there are no Secrets of people but the seed, and those by which codes are brought back.
func (s store) ReadSecret(ctx context.Context, name types.NamespacedName) (secret *seeds.Secret, err error) {
	err = s.call(ctx, false, func() {
		res := s.life.world.resources[name.Namespace]
		secret = s.api().secretOfCode(rotation.Ref(name))
		if name.Name == clientSecretName {
			secret = &seeds.Secret{Version: "client-secret/1", Data: map[string][]byte{clientSecretKey: []byte("secret")}}
		}
		if name.Name == seedName && res.seedVersion != "" {
			secret = &seeds.Secret{
				Version: seedUID(res) + "/" + res.seedVersion,
				Data:    map[string][]byte{seedKey: []byte(res.seed.Reveal())},
			}
		}
	})
	return secret, err
}

// Metadata implements lifecycle.API.
func (s store) Metadata(ctx context.Context, ref rotation.Ref) (pair *rotation.Pair, err error) {
	failed := s.call(ctx, false, func() {
		if o := s.api().secrets[ref]; o != nil {
			pair = o.seen().Clone()
		} else {
			err = rotation.ErrNotFound
		}
	})
	if failed != nil {
		return nil, failed
	}
	return pair, err
}

// Resource implements lifecycle.API.
func (s store) Resource(ctx context.Context, name types.NamespacedName) (token *v1alpha1.GitHubUserToken, err error) {
	err = s.call(ctx, false, func() { token = s.life.world.resources[name.Namespace].token })
	return token, err
}

// AddFinalizer implements lifecycle.API.
func (s store) AddFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) (*v1alpha1.GitHubUserToken, error) {
	return s.finalizers(ctx, token, func(held []string) []string { return append(held, v1alpha1.Finalizer) })
}

// RemoveFinalizer implements lifecycle.API.
func (s store) RemoveFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	_, err := s.finalizers(ctx, token, func(held []string) []string {
		return slices.DeleteFunc(held, func(name string) bool { return name == v1alpha1.Finalizer })
	})
	return err
}

func (s store) finalizers(ctx context.Context, token *v1alpha1.GitHubUserToken, change func([]string) []string) (changed *v1alpha1.GitHubUserToken, err error) {
	w, res := s.life.world, s.life.world.resources[token.Namespace]
	failed := s.call(ctx, true, func() {
		switch {
		case !res.is(string(token.UID)):
		case res.token.ResourceVersion != token.ResourceVersion:
			err = rotation.ErrConflict
		default:
			w.change(res, func(token *v1alpha1.GitHubUserToken) { token.Finalizers = change(slices.Clone(token.Finalizers)) })
			changed = res.token
		}
	})
	if failed != nil {
		return nil, failed
	}
	return changed, err
}
