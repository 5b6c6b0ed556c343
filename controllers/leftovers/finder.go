package leftovers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Finder finds the resources of pairs.
type Finder struct {
	// Cache has resources, and may lag behind. started is false before there is one.
	Cache interface {
		Resource(ctx context.Context, name types.NamespacedName) (token *v1alpha1.GitHubUserToken, started bool)
	}
	// API reads resources live; nil when there is none.
	API interface {
		Resource(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubUserToken, error)
	}
}

// IsWanted reports whether the resource of a received pair still exists and is to stay. In doubt it is.
func (f Finder) IsWanted(ctx context.Context, owner rotation.Owner) bool {
	name := types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}
	token, known := f.Cache.Resource(ctx, name)
	if !known {
		return true // Before there is a cache, for one.
	}
	if token == nil {
		live, err := f.API.Resource(ctx, name)
		return err != nil || live != nil
	}
	return string(token.UID) == owner.UID && token.DeletionTimestamp.IsZero()
}

// Find reads a resource live; nil when it does not exist any more.
func (f Finder) Find(ctx context.Context, owner rotation.Owner) (*v1alpha1.GitHubUserToken, error) {
	token, err := f.API.Resource(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
	if token != nil && string(token.UID) != owner.UID {
		return nil, err
	}
	return token, err
}
