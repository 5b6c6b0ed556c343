package apps

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// grant adds to the App of a resource the accounts that its namespace may ask to log in by the login page, as a ClusterGitHubApp
// that binds it says. From then on it may ask for no others.
func (r *Resolver) grant(ctx context.Context, token *v1alpha1.GitHubUserToken, offered *v1alpha1.ClusterGitHubApp, to *scope.App) error {
	if to.LoginPage == nil {
		to.LoginPage = &scope.Accounts{}
	}
	if !token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow) {
		return nil // Nobody asks.
	}
	for _, accounts := range offered.Spec.LoginPage.AllowedAccounts {
		allowed, err := r.selects(ctx, accounts.Namespaces, token.Namespace)
		if err != nil {
			return err
		}
		if allowed {
			*to.LoginPage = append(*to.LoginPage, accounts)
		}
	}
	return nil
}
