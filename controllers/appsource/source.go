package appsource

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/namespaces"
)

// Watched tell why the cache does not hold the Apps of a namespace or, for namespaces.All, what is cluster-wide; nil when it
// does.
type Watched interface {
	Err(namespace string) error
}

// Source is where resources find their Apps. It is apps.Source over the cache, and over the API server before there is one: a
// pair from the outbox is published then, and what its App forbids is not to be published.
type Source struct {
	// Cache and Live read from the cache, and past it.
	Cache, Live client.Reader
	Watched     Watched
	// Cluster reports whether ClusterGitHubApps are watched.
	Cluster bool
}

// GitHubApp implements apps.Source.
func (s Source) GitHubApp(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubApp, error) {
	app := &v1alpha1.GitHubApp{}
	found, err := s.get(ctx, name, name.Namespace, app)
	if !found {
		return nil, err
	}
	return app, nil
}

// HasClusterGitHubApps implements apps.Source. Without the permission to watch them there are none; what has only not arrived
// yet is there.
func (s Source) HasClusterGitHubApps() bool {
	return s.Cluster && !apierrors.IsForbidden(s.Watched.Err(namespaces.All))
}

// ClusterGitHubApp implements apps.Source.
func (s Source) ClusterGitHubApp(ctx context.Context, name string) (*v1alpha1.ClusterGitHubApp, error) {
	app := &v1alpha1.ClusterGitHubApp{}
	found, err := s.get(ctx, types.NamespacedName{Name: name}, namespaces.All, app)
	if !found {
		return nil, err
	}
	return app, nil
}

// ClusterGitHubAppsOf implements apps.Source.
func (s Source) ClusterGitHubAppsOf(ctx context.Context, key string) ([]v1alpha1.ClusterGitHubApp, error) {
	var list v1alpha1.ClusterGitHubAppList
	err := s.Cache.List(ctx, &list, client.MatchingFields{indexKey: key}, client.UnsafeDisableDeepCopy)
	switch {
	case isNotStarted(err):
		return s.liveOf(ctx, key)
	case err != nil:
		return nil, fmt.Errorf("list ClusterGitHubApps in the cache: %w", err)
	case s.Watched.Err(namespaces.All) != nil:
		return nil, s.Watched.Err(namespaces.All) // What the cache has is not all there is.
	}
	return list.Items, nil
}

// page is how many Apps are listed at once.
const page = 20

// liveOf are the ClusterGitHubApps of a host and client ID as the API server has them.
func (s Source) liveOf(ctx context.Context, key string) (found []v1alpha1.ClusterGitHubApp, err error) {
	var list v1alpha1.ClusterGitHubAppList
	for {
		if err := s.Live.List(ctx, &list, client.Limit(page), client.Continue(list.Continue)); err != nil {
			return nil, fmt.Errorf("list ClusterGitHubApps: %w", err)
		}
		for i := range list.Items {
			if keyOf(&list.Items[i].Spec.GitHubAppSpec) == key {
				found = append(found, list.Items[i])
			}
		}
		if list.Continue == "" {
			return found, nil
		}
	}
}

// NamespaceLabels implements apps.Source.
func (s Source) NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error) {
	meta := NamespaceMetadata()
	found, err := s.get(ctx, types.NamespacedName{Name: namespace}, namespaces.All, meta)
	if !found {
		return nil, err
	}
	// The API server gives each namespace a label with its name. Where there is none the cache has dropped labels that are too large: no
	// selector matches then, as one that asks for what is not there would match anybody who adds enough.
	return meta.Labels, nil
}

// get reports whether there is an object, which is watched in a namespace or cluster-wide. That the cache does not show it
// counts only where the cache has everything.
func (s Source) get(ctx context.Context, name types.NamespacedName, watched string, object client.Object) (found bool, err error) {
	err = s.Cache.Get(ctx, name, object)
	if isNotStarted(err) {
		err = s.Live.Get(ctx, name, object)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
	}
	switch {
	case err == nil:
		return true, nil
	case !apierrors.IsNotFound(err):
		return false, err
	default:
		return false, s.Watched.Err(watched)
	}
}

func isNotStarted(err error) bool {
	_, ok := errors.AsType[*cache.ErrCacheNotStarted](err)
	return ok
}

// NamespaceMetadata is an empty namespace of which only metadata are wanted.
func NamespaceMetadata() *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{}
	meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return meta
}

func keyOf(spec *v1alpha1.GitHubAppSpec) string { return scope.AppKey(spec.Host, spec.ClientID) }
