package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/appstatus"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

const (
	// appWorkers is how many Apps of a kind are looked at at once, of one namespace three quarters of that at most.
	appWorkers = 4
	// appChecksPerHour is how often GitHub is asked about client secrets in an hour, for all Apps of a host.
	appChecksPerHour = 120
	// usersPause is until the users of an App are counted after one has come or gone.
	usersPause = 5 * time.Second
)

// setupApps sets up the controllers of the Apps' statuses.
func (r *Reconciler) setupApps(mgr manager.Manager, options Options) error {
	report := appstatus.Options{
		Client: r.Client, GitHub: options.GitHub, Users: r.usersOf, Admits: r.apps.Admits, Twins: r.twins, ClientSecret: r.clientSecret,
		SecretNamespace: r.secretNamespace, Turn: r.appTurn, Memory: r.memory, Clock: options.Clock,
	}
	var failed error
	for _, kind := range r.appKinds() {
		reference := referenceOf(kind)
		queue := &queue{memory: r.memory}
		r.appQueues[reference.kind] = queue
		err := ctrl.NewControllerManagedBy(mgr).
			Named(strings.ToLower(reference.kind)).
			For(kind, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, deletionBegun()))).
			Watches(&v1alpha1.GitHubUserToken{}, usersCome(reference.kind)).
			WatchesRawSource(queue).
			WithOptions(controller.Options{
				MaxConcurrentReconciles: appWorkers, SkipNameValidation: &options.SkipNameValidation,
				RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](minRequeue, maxRequeue),
				NewQueue: func(name string, limiter workqueue.TypedRateLimiter[ctrl.Request]) workqueue.TypedRateLimitingInterface[ctrl.Request] {
					return fairqueue.New(fairqueue.Options{Name: name, Workers: appWorkers, RateLimiter: limiter})
				},
			}).
			Complete(appstatus.New(report, reference.kind == v1alpha1.KindClusterGitHubApp))
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("set up the controller of %s: %w", reference.kind, err))
		}
	}
	return failed
}

// usersCome has an App looked at when a resource that refers to it has come or gone.
func usersCome(kind string) handler.TypedEventHandler[client.Object, reconcile.Request] {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	look := func(object client.Object, to queue) {
		token, ok := object.(*v1alpha1.GitHubUserToken)
		if !ok || token.Spec.App.Ref == nil || token.Spec.App.Ref.Kind != kind {
			return
		}
		name := types.NamespacedName{Name: token.Spec.App.Ref.Name}
		if kind == v1alpha1.KindGitHubApp {
			name.Namespace = token.Namespace
		}
		to.AddAfter(reconcile.Request{NamespacedName: name}, usersPause)
	}
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, to queue) { look(e.Object, to) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, to queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() {
				look(e.ObjectOld, to)
				look(e.ObjectNew, to)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, to queue) { look(e.Object, to) },
	}
}

// usersOf are the resources that refer to an App.
func (r *Reconciler) usersOf(ctx context.Context, kind, namespace, name string) ([]v1alpha1.GitHubUserToken, error) {
	var tokens v1alpha1.GitHubUserTokenList
	err := r.Client.List(ctx, &tokens, client.InNamespace(namespace), client.MatchingFields{indexApp: referenceIndex(kind, name)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("look for the users of the App in the cache: %w", err)
	}
	return tokens.Items, nil
}

// twins is how many other Apps have the same host and client ID.
func (r *Reconciler) twins(ctx context.Context, spec *v1alpha1.GitHubAppSpec) (int, error) {
	key := client.MatchingFields{indexAppKey: apps.Key(spec)}
	var list v1alpha1.GitHubAppList
	if err := r.Client.List(ctx, &list, key, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("look for Apps in the cache: %w", err)
	}
	all := len(list.Items)
	if r.clusterApps {
		var offered v1alpha1.ClusterGitHubAppList
		if err := r.Client.List(ctx, &offered, key, client.UnsafeDisableDeepCopy); err != nil {
			return 0, fmt.Errorf("look for Apps in the cache: %w", err)
		}
		all += len(offered.Items)
	}
	return max(0, all-1), nil
}

// clientSecret reads the client secret of an App live.
func (r *Reconciler) clientSecret(ctx context.Context, namespace string, ref *v1alpha1.ClientSecretReference) (credential.ClientSecret, string, *problem.Problem, error) {
	secret, err := r.secrets.ReadSecret(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name})
	if err != nil {
		return credential.ClientSecret{}, "", nil, err
	}
	text := ""
	if secret != nil {
		text = strings.TrimSpace(string(secret.Data[ref.Key]))
	}
	if text == "" {
		return credential.ClientSecret{}, "", &problem.Problem{
			Reason:  v1alpha1.ReasonClientSecretMissing,
			Message: fmt.Sprintf("Secret %q in namespace %q has no key %q, or it is empty. Put the App's client secret there.", ref.Name, namespace, ref.Key),
		}, nil
	}
	return credential.NewClientSecret(text), secret.Version, nil, nil
}

// appTurn asks for a turn at a host's API to ask about an App's client secret. Client IDs and secrets come from tenants, and can
// be made up: so all Apps of a host share a limit, by namespace.
func (r *Reconciler) appTurn(host, namespace, id string) (ok bool, until time.Time) {
	return r.appChecks.Acquire(host+"/", ratelimit.Request{ID: id, Namespace: namespace})
}
