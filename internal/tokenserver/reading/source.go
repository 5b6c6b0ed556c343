package reading

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

const (
	// keptFor is how long what administrators have set is believed: as long as a permission is, at most.
	keptFor = 5 * time.Second
	// appsAtOnce is how many ClusterGitHubApps are listed at once.
	appsAtOnce = 50
)

// source tells of Apps and namespaces.
type source struct {
	live       client.Reader
	namespaces kept[string, map[string]string]
	own        kept[types.NamespacedName, *v1alpha1.GitHubApp]
	offered    kept[struct{}, []v1alpha1.ClusterGitHubApp]
}

var _ apps.Source = (*source)(nil)

func newSource(live client.Reader) *source { return &source{live: live} }

// GitHubApp implements apps.Source. Tenants write it, so that only what says whether a token may be given is kept of it.
func (s *source) GitHubApp(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubApp, error) {
	return s.own.get(name, func() (*v1alpha1.GitHubApp, error) {
		var app v1alpha1.GitHubApp
		if err := s.live.Get(ctx, name, &app); err != nil {
			return nil, notFoundOr("read a GitHubApp", err)
		}
		return &v1alpha1.GitHubApp{
			ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: app.Name},
			Spec:       v1alpha1.GitHubAppSpec{Host: app.Spec.Host, ClientID: app.Spec.ClientID, Policy: app.Spec.Policy},
		}, nil
	})
}

// HasClusterGitHubApps implements apps.Source.
func (*source) HasClusterGitHubApps() bool { return true }

// ClusterGitHubApp implements apps.Source.
func (s *source) ClusterGitHubApp(ctx context.Context, name string) (*v1alpha1.ClusterGitHubApp, error) {
	all, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	if at := slices.IndexFunc(all, func(app v1alpha1.ClusterGitHubApp) bool { return app.Name == name }); at >= 0 {
		return &all[at], nil
	}
	return nil, nil //nolint:nilnil // absence is an ordinary answer here
}

// ClusterGitHubAppsOf implements apps.Source.
func (s *source) ClusterGitHubAppsOf(ctx context.Context, key string) (found []v1alpha1.ClusterGitHubApp, err error) {
	all, err := s.all(ctx)
	for i := range all {
		if scope.AppKey(all[i].Spec.Host, all[i].Spec.ClientID) == key {
			found = append(found, all[i])
		}
	}
	return found, err
}

// all are all ClusterGitHubApps. Administrators make them, and there are few.
func (s *source) all(ctx context.Context) ([]v1alpha1.ClusterGitHubApp, error) {
	return s.offered.get(struct{}{}, func() (all []v1alpha1.ClusterGitHubApp, err error) {
		options := client.ListOptions{Limit: appsAtOnce}
		for {
			var page v1alpha1.ClusterGitHubAppList
			if err := s.live.List(ctx, &page, &options); err != nil {
				return nil, listed(err)
			}
			for i := range page.Items {
				all = append(all, essence(&page.Items[i]))
			}
			if options.Continue = page.Continue; options.Continue == "" {
				return all, nil
			}
		}
	})
}

// essence is what says of a ClusterGitHubApp whether a token may be given.
func essence(app *v1alpha1.ClusterGitHubApp) v1alpha1.ClusterGitHubApp {
	spec := v1alpha1.ClusterGitHubAppSpec{AllowedNamespaces: app.Spec.AllowedNamespaces, InlineUse: app.Spec.InlineUse}
	spec.Host, spec.ClientID, spec.Policy = app.Spec.Host, app.Spec.ClientID, app.Spec.Policy
	return v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: app.Name}, Spec: spec}
}

// listed is the error of a list, to which there is always an answer.
func listed(err error) error {
	if apierrors.IsNotFound(err) {
		return &apiError{"list ClusterGitHubApps", "NotFound"}
	}
	return notFoundOr("list ClusterGitHubApps", err)
}

// NamespaceLabels implements apps.Source.
func (s *source) NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error) {
	return s.namespaces.get(namespace, func() (map[string]string, error) {
		var meta metav1.PartialObjectMetadata
		meta.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := s.live.Get(ctx, client.ObjectKey{Name: namespace}, &meta); err != nil {
			return nil, notFoundOr("read the namespace", err)
		}
		if meta.Labels == nil {
			return map[string]string{}, nil
		}
		return meta.Labels, nil
	})
}
