package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/alternates"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/appsource"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/processmetrics"
	"github.com/githubusertoken/github-user-token-operator/controllers/resourcemetrics"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scopedtokens"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/internal/background"
	"github.com/githubusertoken/github-user-token-operator/internal/fair"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/namespaces"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/validnames"
)

// Options configure a Reconciler.
type Options struct {
	// GitHub is the client for everything that is asked of GitHub.
	GitHub *github.Client
	// Outbox keeps received pairs until they are stored.
	Outbox *outbox.Outbox
	// Holder is this process, as it stands in intents.
	Holder rotation.Holder
	// NewID makes an id for an intent.
	NewID func() string
	// Clock is the time. Default: the real one.
	Clock rotation.Clock
	// Watched are the namespaces that are watched. The manager's cache has been made with them, see CacheOptions.
	Watched *namespaces.Watched
	// Shard is which resources and Apps this deployment serves; by default all. The manager's cache has been made with the keys
	// of its selector, see CacheOptions.
	Shard Shard
	// TokenRequestsPerHour is the limit for each App; 0 means none.
	TokenRequestsPerHour int
	// UnprovenRequestsPerHour is the limit for all Apps of a host together that have had no success yet. Default 60.
	UnprovenRequestsPerHour int
	// MaxConcurrentExchanges is how many exchanges may be under way at once, of one namespace and with one host three
	// quarters of that at most, and of one namespace with one host nine sixteenths. Default 256.
	MaxConcurrentExchanges int
	// MaxConcurrentReconciles is how many resources are looked at at once, of one namespace three quarters of that
	// at most. Default 8.
	MaxConcurrentReconciles int
	// ClusterApps reports whether there are ClusterGitHubApps: the operator may read what is cluster-wide.
	ClusterApps bool
	// ClusterResourceNamespace is where the client secrets of ClusterGitHubApps are: the operator's own namespace. Empty when
	// that is not known.
	ClusterResourceNamespace string
	// LoginPage is the base URL of the login page, to which GitHub may send browsers back; empty when there is none.
	LoginPage string
	// RequireUser keeps resources without spec.user from logins and exchanges.
	RequireUser bool
	// EnableHandoff allows spec.handoff. It needs a cache of pods, and permissions of its own.
	EnableHandoff bool
	// EnableScopedOutputs allows scopedOutputs.
	EnableScopedOutputs bool
	// AggregateMetrics has the metrics tell how many resources there are of what kind, and of none by name that a tenant can make.
	AggregateMetrics bool
	// SkipNameValidation allows several controllers of this name in one process, for tests.
	SkipNameValidation bool
}

// New makes a Reconciler and sets it up with the manager.
func New(mgr manager.Manager, options Options) (*Reconciler, error) {
	if options.Clock == nil {
		options.Clock = rotation.SystemClock()
	}
	if options.MaxConcurrentExchanges <= 0 {
		options.MaxConcurrentExchanges = 256
	}
	if options.MaxConcurrentReconciles <= 0 {
		options.MaxConcurrentReconciles = 8
	}
	if err := webflow.CheckPage(options.LoginPage); err != nil {
		return nil, fmt.Errorf("--login-page-url: %w", err)
	}
	live := validnames.Reader{Reader: mgr.GetAPIReader()}
	writer := newCheckedClient(validnames.Client{Client: mgr.GetClient()}, live)
	store := &pairsecret.Store{Client: writer, Live: live, Lists: fair.NewSemaphore(pairsecret.ListsAtOnce)}
	remembered := memory.NewStore()
	r := &Reconciler{
		Client: writer, APIReader: live, GitHub: options.GitHub, Outbox: options.Outbox,
		Recorder: mgr.GetEventRecorder("github-user-token-operator"), Clock: options.Clock,
		namespaces: options.Watched, memory: remembered, reports: memory.NewSlot[reported](remembered), contests: memory.NewSlot[contests](remembered), queue: &queue{memory: remembered},
		tokens: tokencount.New(), selector: options.Shard.Selector, handover: shard.NewHandover(options.Clock, remembered),
	}
	r.setupPace()
	run := runner.Options{Limit: options.MaxConcurrentExchanges, Sleep: options.Clock.Sleep, OnDone: r.queue.wake, OnPanic: panicked(mgr.GetLogger())}
	r.Runner = runner.New(run)
	run.Limit = tokencheck.MaxChecks
	checkRunner := runner.New(run)
	wake := func(id string) { r.queue.granted(types.UID(id)) }
	wakeAny := func(id string) {
		wake(id)
		r.appSource.Woken(id)
	}
	r.Limiter = ratelimit.New(ratelimit.Options{
		PerHour: options.Shard.Share.Of(options.TokenRequestsPerHour), UnprovenPerHour: options.Shard.Share.Of(cmp.Or(options.UnprovenRequestsPerHour, ratelimit.DefaultUnprovenPerHour)), PollsPerHour: options.Shard.Share.Of(ratelimit.DefaultPollsPerHour), Wake: wake,
	})
	// One limit for each host: nothing ever proves itself there.
	revocations := ratelimit.New(ratelimit.Options{PerHour: options.Shard.Share.Of(revocation.CredentialsPerHour), Wake: wake})
	untrusted := ratelimit.New(ratelimit.Options{PerHour: options.Shard.Share.Of(restlimit.PerHour), Wake: wakeAny})
	watch, err := r.newSecretWatch(mgr, options)
	if err != nil {
		return nil, err
	}
	r.outputs = outputs.New(outputs.Options{Client: writer, Live: live, Store: store, Clock: options.Clock, Memory: remembered, OnPanic: run.OnPanic})
	if options.EnableHandoff {
		if r.handoff, err = r.newHandoff(mgr, options); err != nil {
			return nil, err
		}
	}
	api := clusterAPI{store, r.mayHold, r.held}
	r.setupApps(options, api, watch, untrusted)
	gitHub := provingGitHub{options.GitHub, r.Limiter.Succeeded}
	asking := restlimit.New(restlimit.Options{GitHub: gitHub, Limiter: untrusted, Memory: remembered})
	cache := clusterCache{r.Client, options.Watched}
	r.alternates = alternates.Keeper{Cache: cache, Client: writer}
	r.lifecycle = lifecycle.New(lifecycle.Options{
		Cache: cache, Apps: r.apps, API: api, Versions: watch, GitHub: gitHub, Limiter: r.Limiter, RevocationLimiter: revocations, Asking: asking,
		Outbox: options.Outbox, Clock: options.Clock, Reporter: reporter{r}, Memory: remembered, Holder: options.Holder, NewID: options.NewID,
		Runner: r.Runner, CheckRunner: checkRunner, Wake: r.queue.add, Freed: r.tokenFreed, Log: mgr.GetLogger(), LoginPage: options.LoginPage,
	})
	r.scoped = scopedtokens.New(scopedtokens.Options{
		Enabled: options.EnableScopedOutputs, GitHub: options.GitHub, Asking: asking, Outputs: r.outputs, Live: live, App: r.apps.App, ClientSecret: r.lifecycle.ClientSecret,
		Runner: r.Runner, Memory: remembered, Clock: options.Clock, Events: r.Recorder, OnPanic: run.OnPanic,
	})
	counting := manager.RunnableFunc(func(ctx context.Context) error {
		r.tokens.Run(ctx, options.Clock, r.queue.add)
		return nil
	})
	if err := errors.Join(setupIndexes(mgr.GetFieldIndexer()), r.setupController(mgr, options), r.appSource.Setup(mgr), mgr.Add(counting)); err != nil {
		return nil, err
	}
	r.resourceMetrics = resourcemetrics.New(resourcemetrics.Options{
		Objects: func(like runtime.Object) []any {
			if _, isToken := like.(*v1alpha1.GitHubUserToken); isToken {
				return options.Watched.Objects(like)
			}
			return options.Watched.Beside().Objects(like)
		},
		App: r.appOf, Selects: options.Shard.Selector.Selects,
		Leading: mgr.Elected(), Aggregate: options.AggregateMetrics,
	})
	named := r.appSource.All
	if options.AggregateMetrics { // A tenant can make any number of GitHubApps.
		named = r.appSource.AllOffered
	}
	collector := &processmetrics.Collector{Runners: []*runner.Runner{r.Runner, checkRunner}, Outbox: options.Outbox, Limiter: r.Limiter, Revocations: revocations}
	err = errors.Join(metrics.Registry.Register(collector), metrics.Registry.Register(options.Watched),
		metrics.Registry.Register(&tokencount.Collector{Counter: r.tokens, Apps: named, Leading: mgr.Elected(), NotOthers: !options.Shard.Selector.SelectsUnlabelled()}))
	if err != nil && !options.SkipNameValidation {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	return r, nil
}

// setupApps makes what resolves the Apps of resources, and what follows them.
func (r *Reconciler) setupApps(options Options, secrets seeds.Source, versions seeds.Versions, untrusted restlimit.Limiter) {
	source := appsource.Source{Cache: r.Client, Live: r.APIReader, Watched: options.Watched.Beside(), Cluster: options.ClusterApps}
	r.apps = apps.New(apps.Options{Source: source, SecretNamespace: options.ClusterResourceNamespace, RequireUser: options.RequireUser})
	r.appSource = appsource.New(appsource.Options{
		Source: source, Resolver: r.apps, Client: r.Client, Changed: func(token *v1alpha1.GitHubUserToken) { r.lifecycle.AppChanged(token) },
		Secrets: secrets, Versions: versions, SecretNamespace: options.ClusterResourceNamespace, GitHub: options.GitHub, Limiter: shard.Limits{Share: options.Shard.Share, Limiter: r.Limiter}, Untrusted: untrusted,
		Selector: options.Shard.Selector, Clock: options.Clock, SkipNameValidation: options.SkipNameValidation, Events: r.Recorder,
	})
}

// newHandoff sets up what tells workloads of new tokens.
func (r *Reconciler) newHandoff(mgr manager.Manager, options Options) (*handoff.Handoff, error) {
	return handoff.New(mgr, handoff.Options{
		Client: r.Client, Namespaces: options.Watched.Names(), Clock: options.Clock, Memory: r.memory, Start: r.startHandoff, Recorder: r.Recorder,
		LateOutputs: r.outputs.Late, OutputsPending: r.outputs.Transient,
	})
}

// startHandoff runs the work of a handoff as that of an exchange: no exchange of the resource begins meanwhile.
func (r *Reconciler) startHandoff(token *v1alpha1.GitHubUserToken, work func()) error {
	return r.Runner.Start(runner.Subject{UID: token.UID, Namespace: token.Namespace, Operation: runner.Handoff}, work)
}

func (r *Reconciler) setupController(mgr manager.Manager, options Options) error {
	controlled := ctrl.NewControllerManagedBy(mgr).
		Named("githubusertoken").
		For(&v1alpha1.GitHubUserToken{}, builder.WithPredicates(shard.Events(options.Shard.Selector, predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, deletionBegun(), r.finalizerTaken(), statusEdited()),
			r.handover.Arrived, r.remembers))).
		Watches(&v1alpha1.GitHubUserToken{}, r.starts()).
		Watches(&v1alpha1.GitHubUserToken{}, alternates.Events()).
		WatchesMetadata(secretMetadata(types.NamespacedName{}), r.secretEvents()).
		WatchesRawSource(r.queue).
		Watches(&v1alpha1.GitHubApp{}, r.appSource.AppEvents()).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.MaxConcurrentReconciles,
			SkipNameValidation:      &options.SkipNameValidation,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](retry.Reconcile.First, retry.Reconcile.Max),
			NewQueue: func(name string, rateLimiter workqueue.TypedRateLimiter[ctrl.Request]) workqueue.TypedRateLimitingInterface[ctrl.Request] {
				q := fairqueue.New(fairqueue.Options{Name: name, Workers: options.MaxConcurrentReconciles, RateLimiter: rateLimiter})
				r.background = background.New(options.MaxConcurrentReconciles/4, q.LimitLow)
				return q
			},
		})
	if options.ClusterApps {
		controlled = controlled.Watches(&v1alpha1.ClusterGitHubApp{}, r.appSource.AppEvents()).
			WatchesMetadata(appsource.NamespaceMetadata(), r.appSource.NamespaceEvents())
	}
	if err := controlled.Complete(r); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// remembers reports whether this process knows anything of a resource.
func (r *Reconciler) remembers(uid types.UID) bool {
	_, known := r.memory.Name(uid)
	return known
}

// panicked logs a panic. Its value is not printed: it might hold anything.
func panicked(log logr.Logger) func(types.UID) {
	return func(uid types.UID) {
		exchangePanics.Inc()
		log.Error(errors.New("panic in the work for one resource"), "A resource rests for a minute; please report it", "uid", uid)
	}
}
