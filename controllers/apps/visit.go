package apps

import (
	"context"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// isForAlone reports whether an App is offered to one namespace and to no other, by whatever name. GitHub ends the oldest of an account's tokens
// of an App when there are too many: where nobody else has tokens of it, a visit of the login page can cost no workload its own.
func (r *Resolver) isForAlone(ctx context.Context, app scope.App, namespace string) (bool, error) {
	if !r.options.Source.HasClusterGitHubApps() {
		return false, nil
	}
	offered, err := r.options.Source.ClusterGitHubAppsOf(ctx, scope.AppKey(app.Host, app.ClientID))
	if err != nil {
		return false, fmt.Errorf("look to whom the App of the login page is offered: %w", err)
	}
	for i := range offered {
		if offered[i].Spec.InlineUse == v1alpha1.InlineUnrestricted || !isOne(offered[i].Spec.AllowedNamespaces, namespace) {
			return false, nil
		}
	}
	return len(offered) > 0, nil
}

// namespaceName is the label by which every namespace has its name.
const namespaceName = "kubernetes.io/metadata.name"

// isOne reports whether a namespace is meant, by its name, and no other.
func isOne(allowed v1alpha1.AllowedNamespaces, namespace string) bool {
	selector := allowed.Selector
	return allowed.From == v1alpha1.NamespacesSelector && selector != nil && len(selector.MatchExpressions) == 0 &&
		len(selector.MatchLabels) == 1 && selector.MatchLabels[namespaceName] == namespace
}
