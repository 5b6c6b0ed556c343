package apps

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// Inline are the Apps that stand in the specs of resources.
type Inline struct{}

// App is the App in the spec of a resource.
func (Inline) App(_ context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	return scope.InlineApp(token), nil
}

// Hosts knows which hosts may be connected to.
type Hosts interface {
	// CheckHost says why a host may not be connected to; nil when it may.
	CheckHost(host string) error
}

// Check is why nothing may be asked of GitHub for an App; nil when it may.
func Check(hosts Hosts, app scope.App) *problem.Problem {
	if app.Problem != nil {
		return app.Problem
	}
	err := hosts.CheckHost(app.Host)
	if err == nil {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonHostNotAllowed, Stalled: true, OfApp: true,
		Message: words.Sentence(err.Error()) + " The operator's administrator sets them with --allowed-hosts.",
	}
}

// Secrets gives Apps with their client secrets to what can do without.
type Secrets struct {
	// Resolver resolves the App of a resource; see Resolver.
	Resolver interface {
		App(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error)
	}
	// ClientSecret reads the client secret of an App; see seeds.Reader.
	ClientSecret func(ctx context.Context, app scope.App) (credential.ClientSecret, *problem.Problem, error)
}

// App is the App of a resource, with its client secret where there is one, and it can be read and may be used. It is zero when
// the App is not known.
func (s Secrets) App(ctx context.Context, token *v1alpha1.GitHubUserToken) github.App {
	app, err := s.Resolver.App(ctx, token)
	if err != nil || !app.IsKnown() {
		return github.App{}
	}
	if app.Problem != nil {
		return app.App
	}
	if secret, missing, err := s.ClientSecret(ctx, app); err == nil && missing == nil {
		app.ClientSecret = secret
	}
	return app.App
}

// Host is the host of the App of a resource; empty when it is not known.
func (s Secrets) Host(ctx context.Context, token *v1alpha1.GitHubUserToken) string {
	app, err := s.Resolver.App(ctx, token)
	if err != nil {
		return ""
	}
	return app.Host
}
