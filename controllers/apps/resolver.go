package apps

import (
	"cmp"
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// Source is what the watches have told of Apps and namespaces. What it returns is read only. Errors mean that it is not
// known.
type Source interface {
	// GitHubApp is one by its name; nil when there is none.
	GitHubApp(ctx context.Context, name types.NamespacedName) (*v1alpha1.GitHubApp, error)
	// ClusterGitHubApp is one by its name; nil when there is none.
	ClusterGitHubApp(ctx context.Context, name string) (*v1alpha1.ClusterGitHubApp, error)
	// ClusterGitHubAppsOf are those with a host and client ID, by the key of github.App.
	ClusterGitHubAppsOf(ctx context.Context, key string) ([]v1alpha1.ClusterGitHubApp, error)
	// NamespaceLabels are the labels of a namespace; nil when it is not known.
	NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error)
}

// Options configure a Resolver.
type Options struct {
	// Source is needed.
	Source Source
	// ClusterApps reports whether ClusterGitHubApps can be read.
	ClusterApps bool
	// SecretNamespace is the namespace of the client secrets of ClusterGitHubApps: the operator's own.
	SecretNamespace string
}

// Resolver resolves Apps. Make it with New; it is safe for concurrent use.
type Resolver struct{ options Options }

// New makes a Resolver.
func New(options Options) *Resolver { return &Resolver{options} }

// App is the App of a resource. Its Problem says why it may not be used, and by whom that can be mended.
func (r *Resolver) App(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	ref := token.Spec.App.Ref
	switch {
	case ref == nil:
		return r.bound(ctx, token, scope.InlineApp(token))
	case ref.Kind == v1alpha1.KindClusterGitHubApp:
		return r.clusterApp(ctx, token, ref.Name)
	default:
		return r.namespacedApp(ctx, token, ref.Name)
	}
}

// namespacedApp is a GitHubApp of the resource's namespace.
func (r *Resolver) namespacedApp(ctx context.Context, token *v1alpha1.GitHubUserToken, name string) (scope.App, error) {
	found, err := r.options.Source.GitHubApp(ctx, types.NamespacedName{Namespace: token.Namespace, Name: name})
	if err != nil {
		return scope.App{}, fmt.Errorf("look for GitHubApp %s: %w", name, err)
	}
	if found == nil {
		return scope.App{Problem: &problem.Problem{
			Reason: v1alpha1.ReasonAppNotUsable, Stalled: true,
			Message: fmt.Sprintf("There is no GitHubApp %s in this namespace. Make it, or name another in spec.app.ref.", name),
		}}, nil
	}
	app := appOf(token, &found.Spec, token.Namespace)
	app.Policy = found.Spec.Policy
	if app.Problem = violation(token, &app.Policy, app.Host); app.Problem != nil {
		return app, nil
	}
	return r.bound(ctx, token, app)
}

// clusterApp is a ClusterGitHubApp, if the resource's namespace may use it.
func (r *Resolver) clusterApp(ctx context.Context, token *v1alpha1.GitHubUserToken, name string) (scope.App, error) {
	if !r.options.ClusterApps {
		return scope.App{Problem: &problem.Problem{
			Reason: v1alpha1.ReasonAppNotUsable, Stalled: true,
			Message: "This operator watches named namespaces only and has no ClusterGitHubApps. Use a GitHubApp in this namespace, or put the App into spec.app.",
		}}, nil
	}
	found, err := r.options.Source.ClusterGitHubApp(ctx, name)
	if err != nil {
		return scope.App{}, fmt.Errorf("look for a ClusterGitHubApp: %w", err)
	}
	if found == nil {
		return scope.App{Problem: notUsable()}, nil
	}
	admitted, err := r.Admits(ctx, found, token.Namespace)
	if err != nil {
		return scope.App{}, err
	}
	if !admitted {
		return scope.App{Problem: notUsable(), Revoked: true}, nil
	}
	app := appOf(token, &found.Spec.GitHubAppSpec, r.options.SecretNamespace)
	app.Veiled, app.Policy = true, found.Spec.Policy
	app.Problem = violation(token, &app.Policy, app.Host)
	return app, nil
}

// bound is an App that does not come from a ClusterGitHubApp, bound by those of the same host and client ID: at least one
// of them must allow what the resource asks for.
func (r *Resolver) bound(ctx context.Context, token *v1alpha1.GitHubUserToken, app scope.App) (scope.App, error) {
	if !r.options.ClusterApps {
		return app, nil
	}
	offered, err := r.options.Source.ClusterGitHubAppsOf(ctx, app.Key())
	if err != nil {
		return scope.App{}, fmt.Errorf("look for ClusterGitHubApps: %w", err)
	}
	var refused *problem.Problem
	restricted := false
	for i := range offered {
		if offered[i].Spec.InlineUse == v1alpha1.InlineUnrestricted {
			continue
		}
		restricted = true
		admitted, err := r.Admits(ctx, &offered[i], token.Namespace)
		if err != nil {
			return scope.App{}, err
		}
		if !admitted {
			continue
		}
		policy := offered[i].Spec.Policy
		p := violation(token, &policy, app.Host)
		if p == nil {
			app.Policy = policy
			return app, nil
		}
		if refused == nil {
			refused, app.Policy = p, policy
		}
	}
	switch {
	case !restricted:
	case refused != nil:
		app.Problem = refused
	default:
		app.Problem, app.Revoked = notUsable(), true
	}
	return app, nil
}

// Admits reports whether a namespace may use an App.
func (r *Resolver) Admits(ctx context.Context, app *v1alpha1.ClusterGitHubApp, namespace string) (bool, error) {
	switch allowed := app.Spec.AllowedNamespaces; allowed.From {
	case v1alpha1.NamespacesAll:
		return true, nil
	case v1alpha1.NamespacesSelector:
		return r.matches(ctx, allowed.Selector, namespace)
	default:
		return false, nil
	}
}

// matches reports whether the labels of a namespace match a selector. One that is malformed matches none; the App's status
// says so.
func (r *Resolver) matches(ctx context.Context, selector *metav1.LabelSelector, namespace string) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, nil //nolint:nilerr // see above
	}
	have, err := r.options.Source.NamespaceLabels(ctx, namespace)
	if err != nil {
		return false, fmt.Errorf("look at the labels of the namespace: %w", err)
	}
	return have != nil && parsed.Matches(labels.Set(have)), nil
}

// Key names the App of a spec, as github.App.Key does.
func Key(spec *v1alpha1.GitHubAppSpec) string {
	return github.App{Host: cmp.Or(spec.Host, v1alpha1.DefaultHost), ClientID: spec.ClientID}.Key()
}

// appOf is the App of a spec, with its client secret in a namespace.
func appOf(token *v1alpha1.GitHubUserToken, spec *v1alpha1.GitHubAppSpec, namespace string) scope.App {
	app := scope.App{App: github.App{Host: cmp.Or(spec.Host, v1alpha1.DefaultHost), ClientID: spec.ClientID, Scope: scope.DeviceScopesOf(token)}}
	if ref := spec.ClientSecretRef; ref != nil {
		app.Secret = &scope.SecretKey{Secret: types.NamespacedName{Namespace: namespace, Name: ref.Name}, Key: ref.Key}
	}
	return app
}

// notUsable is all that a tenant learns of a ClusterGitHubApp that it may not use.
func notUsable() *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true, Message: scope.AppNotUsable}
}
