package controllers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/paging"
)

// CacheOptions keep the cache small: of Secrets only the metadata of those that carry the operator's label,
// and of everything what is looked at, in bounds that no tenant can exceed.
func CacheOptions(namespaces []string) cache.Options {
	ours, err := labels.NewRequirement(v1alpha1.LabelRole, selection.Exists, nil)
	utilruntime.Must(err)
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		NewInformer:      paging.NewInformer(trim),
		ByObject: map[client.Object]cache.ByObject{
			secretMetadata(types.NamespacedName{}): {Label: labels.NewSelector().Add(*ours), Transform: trim},
			&v1alpha1.GitHubUserToken{}:            {Transform: trim},
		},
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// trim is the transform of both. To apply it twice changes nothing, as client-go asks of a transform.
func trim(object any) (any, error) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	switch object := object.(type) {
	case *metav1.PartialObjectMetadata:
		trimSecret(object)
	case *v1alpha1.GitHubUserToken:
		trimToken(object)
	}
	return object, nil
}
