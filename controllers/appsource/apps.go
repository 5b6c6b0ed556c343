package appsource

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/appstatus"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Limiter is told of the limits that Apps set.
type Limiter interface {
	SetLimit(app string, perHour int)
}

// Options configure Apps. All but SecretNamespace are needed.
type Options struct {
	Source   Source
	Resolver *apps.Resolver
	// Client writes, and reads from the cache.
	Client client.Client
	// Changed is told of each resource whose App has changed: its spec, its client secret, or who may use it.
	Changed func(token *v1alpha1.GitHubUserToken)
	// Secrets reads Secrets live.
	Secrets seeds.Source
	// Versions tell of the versions of Secrets that Apps name.
	Versions seeds.Versions
	// SecretNamespace is that of the client secrets of ClusterGitHubApps; empty when it is not known.
	SecretNamespace string
	GitHub          restlimit.GitHub
	Limiter         Limiter
	Events          appstatus.Events
	// Untrusted gives out turns to try client secrets that GitHub is not known to take. Resources have theirs from the same. It
	// wakes an App by Woken.
	Untrusted restlimit.Limiter
	// Selector is whose statuses are kept here, and those of whose users: GitHub's doubts about an App are told of others by
	// their statuses alone. By default all.
	Selector shard.Selector
	Clock    rotation.Clock
	// SkipNameValidation allows several controllers of a name in one process, for tests.
	SkipNameValidation bool
}

// Apps follows the Apps. Make it with New, and call Setup before the manager starts.
type Apps struct {
	options Options
	// news are told beside whoever has received them.
	news *pace.Pace[struct{}]
	// looks have Apps looked at, and statuses keep what is known of them, by their kind.
	looks    map[string]*lookAgain
	statuses map[string]*appstatus.Reconciler
	// webhooks are the secrets of Apps' webhooks.
	webhooks webhooks
	// memory is of Apps, by UID.
	memory *memory.Store

	mu sync.Mutex
	// limited are the keys for which a GitHubApp sets a limit, and whether that counts: as long as no other namespace uses them.
	limited map[string]bool
}

// New makes Apps.
func New(options Options) *Apps {
	a := &Apps{
		options: options, looks: map[string]*lookAgain{}, statuses: map[string]*appstatus.Reconciler{}, limited: map[string]bool{},
		webhooks: webhooks{known: map[types.NamespacedName]knownSecret{}},
		memory:   memory.NewStore(),
	}
	a.news = pace.New(pace.Options[struct{}]{Clock: options.Clock, Tell: a.tell, Merge: func(_, news struct{}) struct{} { return news }})
	for _, kind := range a.kinds() {
		a.looks[kindOf(kind)] = &lookAgain{}
	}
	return a
}

// Woken has an App looked at that has its turn, by its UID. Whatever else has one is left alone.
func (a *Apps) Woken(id string) {
	name, known := a.memory.Name(types.UID(id))
	if !known {
		return
	}
	kind := v1alpha1.KindGitHubApp
	if name.Namespace == "" {
		kind = v1alpha1.KindClusterGitHubApp
	}
	a.looks[kind].add(name)
}

// Doubt has GitHub asked whether it still accepts the App that a resource refers to: it has refused it, and what is wrong with
// an App is told in its own status.
func (a *Apps) Doubt(token *v1alpha1.GitHubUserToken) {
	ref := token.Spec.App.Ref
	if ref == nil || a.statuses[ref.Kind] == nil {
		return
	}
	name := types.NamespacedName{Name: ref.Name}
	if ref.Kind == v1alpha1.KindGitHubApp {
		name.Namespace = token.Namespace
	}
	if wait, news := a.statuses[ref.Kind].Doubt(name); news {
		a.looks[ref.Kind].addAfter(name, max(wait, usersPause))
	}
}

// Setup sets up the indexes and the controllers of the statuses of Apps.
func (a *Apps) Setup(mgr manager.Manager) error {
	if err := setupIndexes(mgr.GetFieldIndexer(), a.kinds()); err != nil {
		return err
	}
	return a.setupStatuses(mgr)
}

// kinds are the kinds of Apps that are watched.
func (a *Apps) kinds() []client.Object {
	kinds := []client.Object{&v1alpha1.GitHubApp{}}
	if a.options.Source.Cluster {
		kinds = append(kinds, &v1alpha1.ClusterGitHubApp{})
	}
	return kinds
}

// using are the resources that are indexed under an App, in a namespace or, where that is empty, in all. They are read only.
func (a *Apps) using(ctx context.Context, namespace, index string) ([]v1alpha1.GitHubUserToken, error) {
	var tokens v1alpha1.GitHubUserTokenList
	err := a.options.Client.List(ctx, &tokens, client.InNamespace(namespace), client.MatchingFields{indexApp: index}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("look for the users of an App in the cache: %w", err)
	}
	return tokens.Items, nil
}

// of are the GitHubApps of a host and client ID. They are read only.
func (a *Apps) of(ctx context.Context, key string) ([]v1alpha1.GitHubApp, error) {
	var list v1alpha1.GitHubAppList
	if err := a.options.Client.List(ctx, &list, client.MatchingFields{indexKey: key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("look for GitHubApps in the cache: %w", err)
	}
	return list.Items, nil
}

// offered are the ClusterGitHubApps of a host and client ID.
func (a *Apps) offered(ctx context.Context, key string) ([]v1alpha1.ClusterGitHubApp, error) {
	if !a.options.Source.HasClusterGitHubApps() {
		return nil, nil
	}
	return a.options.Source.ClusterGitHubAppsOf(ctx, key)
}

// clientSecret reads the client secret of an App live.
func (a *Apps) clientSecret(ctx context.Context, name types.NamespacedName, key string) (credential.ClientSecret, string, *problem.Problem, error) {
	secret, err := a.options.Secrets.ReadSecret(ctx, name)
	if err != nil {
		return credential.ClientSecret{}, "", nil, err
	}
	text, version := "", ""
	if secret != nil {
		text, version = strings.TrimSpace(string(secret.Data[key])), secret.Version
	}
	a.options.Versions.Learn(name, version)
	if secret != nil && secret.Ours {
		return credential.ClientSecret{}, version, &problem.Problem{Reason: v1alpha1.ReasonClientSecretMissing, Message: seeds.OwnSecret(name.Name)}, nil
	}
	if text == "" {
		return credential.ClientSecret{}, version, &problem.Problem{
			Reason:  v1alpha1.ReasonClientSecretMissing,
			Message: fmt.Sprintf("Secret %q in namespace %q has no key %q, or it is empty. Put the App's client secret there.", name.Name, name.Namespace, key),
		}, nil
	}
	return credential.NewClientSecret(text), version, nil, nil
}
