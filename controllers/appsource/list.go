package appsource

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
)

// All are the GitHubApps and ClusterGitHubApps in the cache.
func (a *Apps) All(ctx context.Context) (all []tokencount.App, err error) {
	add := func(object client.Object) {
		all = append(all, tokencount.App{Kind: kindOf(object), Namespace: object.GetNamespace(), Name: object.GetName(), Key: keyOf(specOf(object))})
	}
	var own v1alpha1.GitHubAppList
	if err := a.options.Client.List(ctx, &own, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list GitHubApps in the cache: %w", err)
	}
	for i := range own.Items {
		add(&own.Items[i])
	}
	if !a.options.Source.Cluster {
		return all, nil
	}
	var offered v1alpha1.ClusterGitHubAppList
	if err := a.options.Client.List(ctx, &offered, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ClusterGitHubApps in the cache: %w", err)
	}
	for i := range offered.Items {
		add(&offered.Items[i])
	}
	return all, nil
}
