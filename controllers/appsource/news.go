package appsource

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
)

// Kinds of news, beside those of Apps themselves, which are the kinds that spec.app.ref names.
const (
	// newsKey: other rules bind a host and client ID, however it is named.
	newsKey = "key"
	// newsLimit: the limit of a host and client ID may be another.
	newsLimit = "limit"
	// newsSharing: the limit of the GitHubApps of a host and client ID counts, or does not count any more.
	newsSharing = "sharing"
	// newsLabels: the labels of a namespace are others.
	newsLabels = "labels"
)

// add has news told, for a namespace or, where that is empty, for all.
func (a *Apps) add(namespace, kind, name string) {
	a.news.Add(context.Background(), types.NamespacedName{Namespace: namespace, Name: newsOf(kind, name)}, struct{}{})
}

// tell tells all whom news concern.
func (a *Apps) tell(ctx context.Context, of types.NamespacedName, _ struct{}) (pace.Cost, error) {
	switch kind, name := parseNews(of.Name); kind {
	case newsKey:
		return a.tellKey(ctx, name)
	case newsLimit:
		return a.setLimit(ctx, name)
	case newsSharing:
		return a.lookAtAll(ctx, name)
	case newsLabels:
		return a.tellNamespace(ctx, of.Namespace)
	default:
		a.looks[kind].add(types.NamespacedName{Namespace: of.Namespace, Name: name})
		users, err := a.using(ctx, of.Namespace, newsOf(kind, name))
		return a.tellAll(users), err
	}
}

func (a *Apps) tellAll(users []v1alpha1.GitHubUserToken) pace.Cost {
	for i := range users {
		a.options.Changed(&users[i])
	}
	return pace.Cost{Resources: len(users)}
}

// tellKey tells all that use a host and client ID without a ClusterGitHubApp of a change in what may be done with that. Those
// who refer to a GitHubApp are told as that one's users, at the cost of its namespace.
func (a *Apps) tellKey(ctx context.Context, key string) (pace.Cost, error) {
	users, err := a.using(ctx, "", key)
	if err != nil {
		return pace.Cost{}, err
	}
	cost := a.tellAll(users)
	others, err := a.of(ctx, key)
	for i := range others {
		a.add(others[i].Namespace, v1alpha1.KindGitHubApp, others[i].Name)
	}
	cost.Resources += len(others)
	return cost, err
}

// lookAtAll has the GitHubApps of a host and client ID looked at.
func (a *Apps) lookAtAll(ctx context.Context, key string) (pace.Cost, error) {
	own, err := a.of(ctx, key)
	for i := range own {
		a.looks[v1alpha1.KindGitHubApp].add(types.NamespacedName{Namespace: own[i].Namespace, Name: own[i].Name})
	}
	return pace.Cost{Resources: len(own)}, err
}

// tellNamespace tells the resources of a namespace, and has the ClusterGitHubApps looked at that they refer to: their users are
// others.
func (a *Apps) tellNamespace(ctx context.Context, namespace string) (pace.Cost, error) {
	var tokens v1alpha1.GitHubUserTokenList
	if err := a.options.Client.List(ctx, &tokens, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return pace.Cost{}, err
	}
	referred := map[string]bool{}
	for i := range tokens.Items {
		if ref := tokens.Items[i].Spec.App.Ref; ref != nil && ref.Kind == v1alpha1.KindClusterGitHubApp && !referred[ref.Name] {
			referred[ref.Name] = true
			a.looks[v1alpha1.KindClusterGitHubApp].add(types.NamespacedName{Name: ref.Name})
		}
	}
	return a.tellAll(tokens.Items), nil
}

// Named is an App, and the key of the Secret in which its client secret is.
type Named struct {
	Key string

	namespace, kind, name string
}

// Naming are the Apps whose client secret is in a Secret.
func (a *Apps) Naming(ctx context.Context, secret types.NamespacedName) (found []Named) {
	inIt := client.MatchingFields{indexSecret: secret.Name}
	var list v1alpha1.GitHubAppList
	if err := a.options.Client.List(ctx, &list, client.InNamespace(secret.Namespace), inIt, client.UnsafeDisableDeepCopy); err == nil {
		for i := range list.Items {
			found = append(found, named(&list.Items[i]))
		}
	}
	if !a.options.Source.Cluster || secret.Namespace != a.options.SecretNamespace {
		return found
	}
	var offered v1alpha1.ClusterGitHubAppList
	if err := a.options.Client.List(ctx, &offered, inIt, client.UnsafeDisableDeepCopy); err == nil {
		for i := range offered.Items {
			found = append(found, named(&offered.Items[i]))
		}
	}
	return found
}

func named(object client.Object) Named {
	return Named{Key: specOf(object).ClientSecretRef.Key, namespace: object.GetNamespace(), kind: kindOf(object), name: object.GetName()}
}

// SecretChanged has the users of an App told that its client secret is another.
func (a *Apps) SecretChanged(app Named) { a.add(app.namespace, app.kind, app.name) }
