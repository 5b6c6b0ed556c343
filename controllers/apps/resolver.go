package apps

import (
	"cmp"
	"context"
	"fmt"
	"strings"

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
	// HasClusterGitHubApps reports whether ClusterGitHubApps can be read at all.
	HasClusterGitHubApps() bool
	// ClusterGitHubApp is one by its name; nil when there is none.
	ClusterGitHubApp(ctx context.Context, name string) (*v1alpha1.ClusterGitHubApp, error)
	// ClusterGitHubAppsOf are those of a host and client ID, by scope.AppKey.
	ClusterGitHubAppsOf(ctx context.Context, key string) ([]v1alpha1.ClusterGitHubApp, error)
	// NamespaceLabels are the labels of a namespace; nil when there is none of that name, or its labels are too large.
	NamespaceLabels(ctx context.Context, namespace string) (map[string]string, error)
}

// Options configure a Resolver.
type Options struct {
	// Source is needed.
	Source Source
	// SecretNamespace is the namespace of the client secrets of ClusterGitHubApps: the operator's own. Empty when that is not
	// known.
	SecretNamespace string
	// RequireUser keeps resources that name no account from logins and exchanges, whatever their App allows.
	RequireUser bool
}

// Resolver resolves Apps. Make it with New; it is safe for concurrent use.
type Resolver struct{ options Options }

// New makes a Resolver.
func New(options Options) *Resolver { return &Resolver{options} }

// App is the App of a resource. Its Problem says why it may not be used, and by whom that can be mended.
func (r *Resolver) App(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
	app, err := r.resolve(ctx, token)
	app.OfVisit = scope.IsVisit(token, r.options.SecretNamespace)
	if err == nil && app.Problem == nil && app.OfVisit {
		app.Visit, err = r.isForAlone(ctx, app, token.Namespace)
	}
	if err == nil && app.Problem == nil && !app.Visit {
		app.Problem = r.userRequired(token)
	}
	return app, err
}

func (r *Resolver) resolve(ctx context.Context, token *v1alpha1.GitHubUserToken) (scope.App, error) {
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

// Permitted is a resource with those of its outputs that may be made: its App lets it, and so does the one that its chain is
// of, by the key of github.App. After a change of spec.app these are two.
func (r *Resolver) Permitted(ctx context.Context, token *v1alpha1.GitHubUserToken, app scope.App, chain string) (*v1alpha1.GitHubUserToken, error) {
	permitted := app.Permitted(token)
	if len(permitted.Spec.AllOutputs()) == 0 || chain == "" || chain == app.Key() {
		return permitted, nil
	}
	host, clientID, _ := strings.Cut(chain, "/")
	former, err := r.bound(ctx, permitted, scope.App{App: github.App{Host: host, ClientID: clientID}})
	if err != nil {
		return nil, err
	}
	return former.Permitted(permitted), nil
}

// Admits reports whether a resource may use the ClusterGitHubApp that it refers to.
func (r *Resolver) Admits(ctx context.Context, app *v1alpha1.ClusterGitHubApp, token *v1alpha1.GitHubUserToken) (bool, error) {
	allowed, err := r.Allows(ctx, app, token.Namespace)
	if err != nil || !allowed {
		return false, err
	}
	return violation(token, &app.Spec.Policy, cmp.Or(app.Spec.Host, v1alpha1.DefaultHost)) == nil, nil
}

// Allows reports whether the resources of a namespace may use a ClusterGitHubApp.
func (r *Resolver) Allows(ctx context.Context, app *v1alpha1.ClusterGitHubApp, namespace string) (bool, error) {
	return r.selects(ctx, app.Spec.AllowedNamespaces, namespace)
}

// selects reports whether a namespace is among those that are meant.
func (r *Resolver) selects(ctx context.Context, allowed v1alpha1.AllowedNamespaces, namespace string) (bool, error) {
	switch allowed.From {
	case v1alpha1.NamespacesAll:
		return true, nil
	case v1alpha1.NamespacesSelector:
		return r.matches(ctx, allowed.Selector, namespace)
	default:
		return false, nil
	}
}

// Bars reports whether a restricted ClusterGitHubApp keeps all resources of a namespace from a host and client ID.
func (r *Resolver) Bars(ctx context.Context, namespace, host, clientID string) (bool, error) {
	app, err := r.bound(ctx, &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}, scope.App{App: github.App{Host: host, ClientID: clientID}})
	return app.Refused, err
}

// namespacedApp is a GitHubApp of the resource's namespace.
func (r *Resolver) namespacedApp(ctx context.Context, token *v1alpha1.GitHubUserToken, name string) (scope.App, error) {
	found, err := r.options.Source.GitHubApp(ctx, types.NamespacedName{Namespace: token.Namespace, Name: name})
	if err != nil {
		return scope.App{}, fmt.Errorf("look for GitHubApp %s: %w", name, err)
	}
	if found == nil {
		message := fmt.Sprintf("There is no GitHubApp %s in this namespace. Make it, or name another in spec.app.ref.", name)
		if r.isOffered(ctx, name, token.Namespace) {
			message = fmt.Sprintf("There is no GitHubApp %s in this namespace. A ClusterGitHubApp of that name is offered to it: to use that, set spec.app.ref.kind to ClusterGitHubApp.", name)
		}
		return scope.App{Problem: &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true, Message: message}}, nil
	}
	app, err := r.bound(ctx, token, appOf(token, &found.Spec, token.Namespace))
	if err != nil {
		return scope.App{}, err
	}
	app.Policies = append(app.Policies, &found.Spec.Policy)
	if app.Problem == nil {
		app.Problem = violation(token, &found.Spec.Policy, app.Host)
	}
	return app, nil
}

// isOffered reports whether a namespace may use a ClusterGitHubApp of a name. One that it may not use is like none, and so is one of
// which nothing is known: it is for a hint.
func (r *Resolver) isOffered(ctx context.Context, name, namespace string) bool {
	if !r.options.Source.HasClusterGitHubApps() {
		return false
	}
	found, err := r.options.Source.ClusterGitHubApp(ctx, name)
	if err != nil || found == nil {
		return false
	}
	allowed, err := r.Allows(ctx, found, namespace)
	return err == nil && allowed
}

// clusterApp is a ClusterGitHubApp, if the resource's namespace may use it.
func (r *Resolver) clusterApp(ctx context.Context, token *v1alpha1.GitHubUserToken, name string) (scope.App, error) {
	if !r.options.Source.HasClusterGitHubApps() {
		return scope.App{Problem: &problem.Problem{
			Reason: v1alpha1.ReasonAppNotUsable, Stalled: true,
			Message: "This operator has no ClusterGitHubApps, as it may read nothing outside of the namespaces that it watches. Use a GitHubApp of this namespace, or put the App into spec.app.",
		}}, nil
	}
	found, err := r.options.Source.ClusterGitHubApp(ctx, name)
	if err != nil {
		return scope.App{}, fmt.Errorf("look for the App: %w", err)
	}
	if found == nil {
		return refused(scope.App{}), nil
	}
	allowed, err := r.Allows(ctx, found, token.Namespace)
	if err != nil {
		return scope.App{}, err
	}
	if !allowed {
		return refused(scope.App{}), nil
	}
	app := appOf(token, &found.Spec.GitHubAppSpec, r.options.SecretNamespace)
	app.Veiled, app.Policies = true, []*v1alpha1.AppPolicy{&found.Spec.Policy}
	if err := r.grant(ctx, token, found, &app); err != nil {
		return scope.App{}, err
	}
	switch app.Problem = violation(token, &found.Spec.Policy, app.Host); {
	case app.Problem != nil:
	case app.Secret != nil && r.options.SecretNamespace == "":
		app.Problem = &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true, OfApp: true, Message: scope.AppNotUsable}
	}
	return app, nil
}

// bound is an App that does not come from a ClusterGitHubApp, bound by those of the same host and client ID: at least one
// of them must allow what the resource asks for.
func (r *Resolver) bound(ctx context.Context, token *v1alpha1.GitHubUserToken, app scope.App) (scope.App, error) {
	if !r.options.Source.HasClusterGitHubApps() {
		return app, nil
	}
	offered, err := r.options.Source.ClusterGitHubAppsOf(ctx, scope.AppKey(app.Host, app.ClientID))
	if err != nil {
		return scope.App{}, fmt.Errorf("look for Apps that are offered to this namespace: %w", err)
	}
	restricted := false
	var violated *problem.Problem
	var policies []*v1alpha1.AppPolicy
	for i := range offered {
		if offered[i].Spec.InlineUse == v1alpha1.InlineUnrestricted {
			continue
		}
		restricted = true
		allowed, err := r.Allows(ctx, &offered[i], token.Namespace)
		if err != nil {
			return scope.App{}, err
		}
		if !allowed {
			continue
		}
		policy := &offered[i].Spec.Policy
		p := violation(token, policy, app.Host)
		switch {
		case p != nil && violated == nil:
			violated, policies = p, []*v1alpha1.AppPolicy{policy}
		case p == nil:
			if app.Policies == nil {
				app.Policies = []*v1alpha1.AppPolicy{policy}
			}
			if err := r.grant(ctx, token, &offered[i], &app); err != nil {
				return scope.App{}, err
			}
		}
	}
	switch {
	case !restricted, app.Policies != nil:
		return app, nil
	case violated != nil:
		app.Problem, app.Policies = violated, policies
		return app, nil
	default:
		return refused(app), nil
	}
}

// refused is an App that the resource may not use. That is all that it learns.
func refused(app scope.App) scope.App {
	app.Problem = &problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Stalled: true, Message: scope.AppNotUsable}
	app.Refused = true
	return app
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

// appOf is the App of a spec, with its client secret in a namespace.
func appOf(token *v1alpha1.GitHubUserToken, spec *v1alpha1.GitHubAppSpec, namespace string) scope.App {
	app := scope.App{App: github.App{Host: cmp.Or(spec.Host, v1alpha1.DefaultHost), ClientID: spec.ClientID, Scope: scope.LoginScopesOf(token), RepositoryID: scope.RepositoryOf(token)}}
	if ref := spec.ClientSecretRef; ref != nil {
		app.Secret = &scope.SecretKey{Secret: types.NamespacedName{Namespace: namespace, Name: ref.Name}, Key: ref.Key}
	}
	return app
}
