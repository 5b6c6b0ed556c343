package apps

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// Serves reports whether the App of a resource lets its tokens be given out by the token server.
func (r *Resolver) Serves(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
	spec := token.Spec.App
	switch {
	case spec.Ref == nil:
		return r.ServesOf(ctx, token.Namespace, scope.AppKey(spec.Host, spec.ClientID))
	case spec.Ref.Kind == v1alpha1.KindClusterGitHubApp:
		found, err := r.options.Source.ClusterGitHubApp(ctx, spec.Ref.Name)
		if err != nil || found == nil {
			return false, err
		}
		return r.lends(ctx, found, token.Namespace)
	default:
		found, err := r.options.Source.GitHubApp(ctx, types.NamespacedName{Namespace: token.Namespace, Name: spec.Ref.Name})
		if err != nil || found == nil {
			return found == nil && err == nil, err // What its pair is of is looked at beside this.
		}
		if isWithheld(&found.Spec.Policy) {
			return false, nil
		}
		return r.ServesOf(ctx, token.Namespace, scope.AppKey(found.Spec.Host, found.Spec.ClientID))
	}
}

// ServesOf is Serves of the App that a pair is of, by its key, whatever the resource names now: nobody gets round a policy by naming
// another App. Where several ClusterGitHubApps have its host and client ID, one that allows it is enough.
func (r *Resolver) ServesOf(ctx context.Context, namespace, key string) (bool, error) {
	if !r.options.Source.HasClusterGitHubApps() {
		return true, nil
	}
	offered, err := r.options.Source.ClusterGitHubAppsOf(ctx, strings.ToLower(key))
	if err != nil {
		return false, fmt.Errorf("look for Apps that are offered to this namespace: %w", err)
	}
	restricted := false
	for i := range offered {
		if offered[i].Spec.InlineUse == v1alpha1.InlineUnrestricted {
			continue
		}
		restricted = true
		if lends, err := r.lends(ctx, &offered[i], namespace); err != nil || lends {
			return lends, err
		}
	}
	return !restricted, nil
}

// lends reports whether a namespace may use a ClusterGitHubApp, and have its tokens given out.
func (r *Resolver) lends(ctx context.Context, app *v1alpha1.ClusterGitHubApp, namespace string) (bool, error) {
	if isWithheld(&app.Spec.Policy) {
		return false, nil
	}
	return r.Allows(ctx, app, namespace)
}

// isWithheld reports whether a policy forbids it. A value of a later version does.
func isWithheld(policy *v1alpha1.AppPolicy) bool {
	return policy.TokenServer != "" && policy.TokenServer != v1alpha1.PermissionAllowed
}
