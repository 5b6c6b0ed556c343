package lifecycle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// resourceReader reads resources live.
type resourceReader interface {
	// Resource is that of API.
	Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error)
}

// finder finds the resources of pairs.
type finder struct {
	cache     Cache
	resources resourceReader
}

// isWanted reports whether the resource of a received pair still exists and is to stay. In doubt it is.
func (f finder) isWanted(ctx context.Context, owner rotation.Owner) bool {
	name := types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}
	token, known := f.cache.Resource(ctx, name)
	if !known {
		return true // Before there is a cache, for one.
	}
	if token == nil {
		live, err := f.resources.Resource(ctx, name)
		return err != nil || live != nil
	}
	return string(token.UID) == owner.UID && token.DeletionTimestamp.IsZero()
}

// find reads a resource live; nil when it does not exist any more.
func (f finder) find(ctx context.Context, owner rotation.Owner) (*v1alpha1.GitHubUserToken, error) {
	token, err := f.resources.Resource(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
	if token != nil && string(token.UID) != owner.UID {
		return nil, err
	}
	return token, err
}
