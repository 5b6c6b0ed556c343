package appsource

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
)

// All are the GitHubApps and ClusterGitHubApps in the cache.
func (a *Apps) All(ctx context.Context) ([]tokencount.App, error) {
	offered, err := a.AllOffered(ctx)
	if err != nil {
		return nil, err
	}
	var own v1alpha1.GitHubAppList
	if err := a.options.Client.List(ctx, &own, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list GitHubApps in the cache: %w", err)
	}
	for i := range own.Items {
		offered = append(offered, a.counted(&own.Items[i]))
	}
	return offered, nil
}

// AllOffered are the ClusterGitHubApps in the cache, which administrators make.
func (a *Apps) AllOffered(ctx context.Context) ([]tokencount.App, error) {
	if !a.options.Source.Cluster {
		return nil, nil
	}
	var offered v1alpha1.ClusterGitHubAppList
	if err := a.options.Client.List(ctx, &offered, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ClusterGitHubApps in the cache: %w", err)
	}
	all := make([]tokencount.App, 0, len(offered.Items))
	for i := range offered.Items {
		all = append(all, a.counted(&offered.Items[i]))
	}
	return all, nil
}

func (a *Apps) counted(object client.Object) tokencount.App {
	return tokencount.App{
		Kind: kindOf(object), Namespace: object.GetNamespace(), Name: object.GetName(), Key: keyOf(specOf(object)),
		Elsewhere: !a.options.Selector.Selects(object),
	}
}
