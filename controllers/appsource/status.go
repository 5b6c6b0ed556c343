package appsource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/appstatus"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
)

const (
	// workers is how many Apps of a kind are looked at at once, of one namespace three quarters of that at most.
	workers = 4
	// usersPause is until the users of an App are counted after one has come or gone.
	usersPause = 5 * time.Second
	// minRequeue and maxRequeue are until a reconcile that has failed is tried again.
	minRequeue, maxRequeue = 100 * time.Millisecond, time.Minute
)

// setupStatuses sets up the controllers of the statuses of Apps.
func (a *Apps) setupStatuses(mgr manager.Manager) error {
	report := appstatus.Options{
		Client: a.options.Client, Memory: a.memory, Users: a.usersOf, Admits: a.options.Resolver.Admits, Bars: a.options.Resolver.Bars,
		Sharing: a.sharing, ClientSecret: a.clientSecret, Version: a.options.Versions.Version, SecretNamespace: a.options.SecretNamespace,
		Selects: func(app client.Object) bool { return a.options.Selector.Selects(app) },
		Clock:   a.options.Clock, Events: a.options.Events, GitHub: restlimit.New(restlimit.Options{GitHub: a.options.GitHub, Limiter: a.options.Untrusted, Memory: a.memory}),
	}
	var failed error
	for _, object := range a.kinds() {
		kind := kindOf(object)
		a.statuses[kind] = appstatus.New(report, kind == v1alpha1.KindClusterGitHubApp)
		err := ctrl.NewControllerManagedBy(mgr).
			Named(strings.ToLower(kind)).
			For(object, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, deletionBegun(), shard.Moved(a.options.Selector)))).
			Watches(&v1alpha1.GitHubUserToken{}, a.usersCome(kind)).
			WatchesRawSource(a.looks[kind]).
			WithOptions(controller.Options{
				MaxConcurrentReconciles: workers, SkipNameValidation: &a.options.SkipNameValidation,
				RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](minRequeue, maxRequeue),
				NewQueue: func(name string, limiter workqueue.TypedRateLimiter[ctrl.Request]) workqueue.TypedRateLimitingInterface[ctrl.Request] {
					return fairqueue.New(fairqueue.Options{Name: name, Workers: workers, RateLimiter: limiter})
				},
			}).
			Complete(a.statuses[kind])
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("set up the controller of %s: %w", kind, err))
		}
	}
	return failed
}

// deletionBegun lets the update pass with which an App begins to be deleted.
func deletionBegun() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp() == nil && e.ObjectNew.GetDeletionTimestamp() != nil
	}}
}

// usersOf are the resources that refer to an App.
func (a *Apps) usersOf(ctx context.Context, kind, namespace, name string) ([]v1alpha1.GitHubUserToken, error) {
	return a.using(ctx, namespace, newsOf(kind, name))
}

// sharing is with whom an App shares its host and client ID.
func (a *Apps) sharing(ctx context.Context, app client.Object) (sharing appstatus.Sharing, err error) {
	spec := specOf(app)
	key := keyOf(spec)
	own, err := a.of(ctx, key)
	if err != nil {
		return sharing, err
	}
	offered, err := a.offered(ctx, key)
	if err != nil {
		return sharing, err
	}
	if sharing.Others, err = a.usable(ctx, app, own); err != nil {
		return sharing, err
	}
	for i := range offered {
		if offered[i].UID == app.GetUID() {
			continue
		}
		if kindOf(app) == v1alpha1.KindGitHubApp {
			// Of one that does not allow the namespace nothing is told there.
			allowed, err := a.options.Resolver.Allows(ctx, &offered[i], app.GetNamespace())
			if err != nil {
				return sharing, err
			}
			if !allowed {
				continue
			}
		}
		sharing.Others++
	}
	if kindOf(app) == v1alpha1.KindGitHubApp && spec.TokenRequestsPerHour > 0 && len(own) > 0 {
		sharing.LimitIgnored, _, err = a.isShared(ctx, key, own, len(offered))
	}
	return sharing, err
}

// usable is how many of the GitHubApps of one host and client ID may be used in their namespaces, without the App itself. The
// others have no part in any limit.
func (a *Apps) usable(ctx context.Context, app client.Object, own []v1alpha1.GitHubApp) (count int, err error) {
	barred := map[string]bool{}
	for i := range own {
		if own[i].UID == app.GetUID() {
			continue
		}
		namespace, spec := own[i].Namespace, &own[i].Spec
		isBarred, known := barred[namespace]
		if !known {
			if isBarred, err = a.options.Resolver.Bars(ctx, namespace, spec.Host, spec.ClientID); err != nil {
				return 0, err
			}
			barred[namespace] = isBarred
		}
		if !isBarred {
			count++
		}
	}
	return count, nil
}

// lookAgain lets what is no event of an App have it looked at. It is a source of a controller.
type lookAgain struct {
	mu     sync.Mutex
	target workqueue.TypedRateLimitingInterface[ctrl.Request]
}

// Start implements source.Source.
func (l *lookAgain) Start(_ context.Context, target workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
	return nil
}

// add has an App looked at. Before the controller runs there is no need to: it begins with all.
func (l *lookAgain) add(name types.NamespacedName) { l.addAfter(name, 0) }

// addAfter has an App looked at after a while.
func (l *lookAgain) addAfter(name types.NamespacedName, wait time.Duration) {
	if l == nil {
		return // Its kind is not watched.
	}
	l.mu.Lock()
	target := l.target
	l.mu.Unlock()
	if target != nil {
		target.AddAfter(ctrl.Request{NamespacedName: name}, wait)
	}
}
