package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
)

// appSource is apps.Source over the manager's cache.
type appSource struct{ client.Reader }

var _ apps.Source = appSource{}

// GitHubApp implements apps.Source.
func (s appSource) GitHubApp(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubApp, error) {
	app := &v1alpha1.GitHubApp{}
	found, err := s.get(ctx, name, app)
	if !found {
		return nil, err
	}
	return app, nil
}

// ClusterGitHubApp implements apps.Source.
func (s appSource) ClusterGitHubApp(ctx context.Context, name string) (*v1alpha1.ClusterGitHubApp, error) {
	app := &v1alpha1.ClusterGitHubApp{}
	found, err := s.get(ctx, types.NamespacedName{Name: name}, app)
	if !found {
		return nil, err
	}
	return app, nil
}

// ClusterGitHubAppsOf implements apps.Source.
func (s appSource) ClusterGitHubAppsOf(ctx context.Context, key string) ([]v1alpha1.ClusterGitHubApp, error) {
	var list v1alpha1.ClusterGitHubAppList
	if err := s.List(ctx, &list, client.MatchingFields{indexAppKey: key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ClusterGitHubApps in the cache: %w", err)
	}
	return list.Items, nil
}

// NamespaceLabels implements apps.Source.
func (s appSource) NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error) {
	meta := namespaceMetadata()
	found, err := s.get(ctx, types.NamespacedName{Name: namespace}, meta)
	if !found {
		return nil, err
	}
	if meta.Labels == nil {
		return map[string]string{}, nil
	}
	return meta.Labels, nil
}

// get reports whether the cache has an object.
func (s appSource) get(ctx context.Context, name types.NamespacedName, object client.Object) (found bool, err error) {
	if err := s.Get(ctx, name, object); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return true, nil
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return meta
}
