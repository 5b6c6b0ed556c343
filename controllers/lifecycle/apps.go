package lifecycle

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// apps are the Apps of resources with their client secrets, for what can do without.
type apps struct {
	resolver Apps
	seeds    *seeds.Reader
}

// inlineApps are the Apps that stand in the specs of resources.
type inlineApps struct{}

// App implements Apps.
func (inlineApps) App(_ context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	return scope.InlineApp(token), nil
}

// withSecret is the App of a resource, with its client secret where there is one, and it can be read and may be used. It is
// zero when the App is not known.
func (a apps) withSecret(ctx context.Context, token *v1alpha1.GitHubUserToken) github.App {
	app, err := a.resolver.App(ctx, token)
	if err != nil || !app.IsKnown() {
		return github.App{}
	}
	if app.Problem != nil {
		return app.App
	}
	if secret, missing, err := a.seeds.ClientSecret(ctx, app); err == nil && missing == nil {
		app.ClientSecret = secret
	}
	return app.App
}

// host is the host of the App of a resource; empty when it is not known.
func (a apps) host(ctx context.Context, token *v1alpha1.GitHubUserToken) string {
	app, err := a.resolver.App(ctx, token)
	if err != nil {
		return ""
	}
	return app.Host
}
