package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/appsource"
	"github.com/githubusertoken/github-user-token-operator/controllers/cachetrim"
	"github.com/githubusertoken/github-user-token-operator/internal/densecache"
	"github.com/githubusertoken/github-user-token-operator/internal/namespaces"
	"github.com/githubusertoken/github-user-token-operator/internal/paging"
)

// CacheOptions keep the cache small: of Secrets only the metadata of those that carry the operator's label,
// and of everything what is looked at, in bounds that no tenant can exceed. Nothing waits for a namespace that is forbidden.
// labelKeys are the labels by which resources are selected, see Options.Shard.
func CacheOptions(watched *namespaces.Watched, labelKeys ...string) cache.Options {
	kept := packing(cachetrim.Keeping(labelKeys))
	ours, err := labels.NewRequirement(v1alpha1.LabelRole, selection.Exists, nil)
	utilruntime.Must(err)
	options := cache.Options{
		DefaultWatchErrorHandler: func(ctx context.Context, reflector *toolscache.Reflector, err error) {
			if !apierrors.IsForbidden(err) { // That is told once, when it begins.
				toolscache.DefaultWatchErrorHandler(ctx, reflector, err)
			}
		},
		DefaultTransform: cache.TransformStripManagedFields(),
		NewInformer:      newInformer(watched, kept),
		ByObject: map[client.Object]cache.ByObject{
			secretMetadata(types.NamespacedName{}): {Label: labels.NewSelector().Add(*ours), Transform: kept},
			&v1alpha1.GitHubUserToken{}:            {Transform: kept},
			&v1alpha1.GitHubApp{}:                  {Transform: kept},
			&v1alpha1.ClusterGitHubApp{}:           {Transform: kept},
			appsource.NamespaceMetadata():          {Transform: kept},
		},
	}
	for _, namespace := range watched.Names() {
		if namespace == namespaces.All {
			break
		}
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// packing is the transform of the caches: what trim leaves of an object, packed.
func packing(trim toolscache.TransformFunc) toolscache.TransformFunc {
	return func(object any) (any, error) {
		if densecache.IsPacked(object) {
			return object, nil
		}
		trimmed, err := trim(object)
		if err != nil {
			return nil, fmt.Errorf("trim an object for the cache: %w", err)
		}
		return densecache.Pack(trimmed)
	}
}

// newInformer makes informers in bounds. Without Apps, and namespaces by their labels, resources that refer to none are served
// all the same, as after an upgrade for which a namespace's Role was not extended.
func newInformer(watched *namespaces.Watched, kept toolscache.TransformFunc) namespaces.NewInformer {
	needed, beside := watched.Informers(paging.NewInformer(kept)), watched.Beside().Informers(paging.NewInformer(kept))
	return func(source toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		switch object := object.(type) {
		case *v1alpha1.GitHubApp, *v1alpha1.ClusterGitHubApp:
			return beside(source, object, resync, indexers)
		case *metav1.PartialObjectMetadata:
			if object.Kind == "Namespace" {
				return beside(source, object, resync, indexers)
			}
		}
		return needed(source, object, resync, indexers)
	}
}
