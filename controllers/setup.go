package controllers

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
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
	// Namespaces are those that are watched; empty means all.
	Namespaces []string
	// TokenRequestsPerHour is the limit for each App; 0 means none.
	TokenRequestsPerHour int
	// MaxConcurrentExchanges is how many exchanges may be under way at once. Default 256.
	MaxConcurrentExchanges int
	// MaxConcurrentReconciles is how many resources are looked at at once. Default 8.
	MaxConcurrentReconciles int
	// EnableHandoff allows spec.handoff. It needs a cache of pods, and permissions of its own.
	EnableHandoff bool
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
	writer, live := guardedClient{mgr.GetClient()}, guardedReader{mgr.GetAPIReader()}
	store := &pairsecret.Store{Client: writer, Live: live}
	r := &Reconciler{
		Client: writer, APIReader: live, Store: store, GitHub: options.GitHub, Outbox: options.Outbox,
		Flights:  NewFlights(options.MaxConcurrentExchanges),
		Recorder: mgr.GetEventRecorder("github-user-token-operator"),
		Clock:    options.Clock,
		memories: newMemories(options.Clock), claims: newClaims(), queue: newQueue(),
		outputs: newOutputMemories(options.Clock), proofs: newProofs(),
		devices: newDevices(options.Clock), questions: newQuestions(options.Clock), ends: newEnds(),
	}
	r.Rotator = &rotation.Rotator{
		Store: store, Exchanger: options.GitHub, Outbox: options.Outbox, Clock: options.Clock,
		Me: options.Holder, NewID: options.NewID, OnCommitRetry: r.commitRetried,
		Poller: options.GitHub, Admit: r.admit, End: r.end,
	}
	r.Flights.onPanic = flightPanicked(mgr.GetLogger())
	r.questions.under.onPanic = r.Flights.onPanic
	r.questions.under.onLanding = func(uid types.UID) { r.queue.wake(string(uid)) }
	r.Flights.onLanding = func(uid types.UID) { r.queue.wake(string(uid)) }
	r.Limiter = ratelimit.New(ratelimit.Options{PerHour: options.TokenRequestsPerHour, Wake: r.queue.wake})
	if options.EnableHandoff {
		var err error
		if r.handoff, err = newHandoff(mgr, writer, options); err != nil {
			return nil, err
		}
	}
	if err := r.setupSecretWatch(mgr, options.Namespaces); err != nil {
		return nil, err
	}
	if err := r.setupIndexes(mgr); err != nil {
		return nil, err
	}
	if err := r.setupController(mgr, options); err != nil {
		return nil, err
	}
	collector := &resourceCollector{cache: mgr.GetClient(), flights: r.Flights, outbox: options.Outbox}
	if err := metrics.Registry.Register(collector); err != nil && !options.SkipNameValidation {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	return r, nil
}

func (r *Reconciler) setupController(mgr manager.Manager, options Options) error {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := ctrl.NewControllerManagedBy(mgr).
		Named("githubusertoken").
		For(&v1alpha1.GitHubUserToken{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, deletionBegun(), statusEdited()))).
		WatchesMetadata(secret, r.secretEvents()).
		WatchesRawSource(r.queue).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: options.MaxConcurrentReconciles,
			SkipNameValidation:      &options.SkipNameValidation,
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	return nil
}

// deletionBegun lets the update through by which a deletion is asked for.
func deletionBegun() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() && !e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

// statusEdited lets changes of the status through: our own find nothing to do, somebody else's are undone.
func statusEdited() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.(*v1alpha1.GitHubUserToken)
		after, okAfter := e.ObjectNew.(*v1alpha1.GitHubUserToken)
		return okBefore && okAfter && hashOf(&before.Status) != hashOf(&after.Status)
	}}
}

// secretEvents maps Secrets of ours to their resources. What was remembered of a Secret that is gone is
// dropped.
func (r *Reconciler) secretEvents() handler.TypedEventHandler[client.Object, reconcile.Request] {
	enqueue := func(object client.Object, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		for _, name := range ownersOf(object) {
			queue.Add(reconcile.Request{NamespacedName: name})
		}
		// A Secret with our label that is somebody else's may be in a resource's way.
		for _, token := range r.naming(client.ObjectKeyFromObject(object)) {
			queue.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&token)})
		}
	}
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.Object, queue)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(e.ObjectNew, queue)
			r.wakeAll(r.freed(e.ObjectOld, e.ObjectNew))
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if controller := metav1.GetControllerOfNoCopy(e.Object); controller != nil {
				r.memories.gone(controller.UID, e.Object.GetUID())
				r.outputs.gone(controller.UID, e.Object.GetName(), e.Object.GetUID())
			}
			enqueue(e.Object, queue)
			r.wakeAll(r.freed(e.Object, nil))
		},
	}
}

// ownersOf names the resource of a Secret: by its controller, or by the name for which it was retained.
func ownersOf(object client.Object) []types.NamespacedName {
	if controller := metav1.GetControllerOfNoCopy(object); controller != nil {
		return []types.NamespacedName{{Namespace: object.GetNamespace(), Name: controller.Name}}
	}
	pair, _ := pairsecret.FromMetadata(&metav1.ObjectMeta{Annotations: object.GetAnnotations()})
	if pair.State.OwnerName == "" {
		return nil
	}
	return []types.NamespacedName{{Namespace: object.GetNamespace(), Name: pair.State.OwnerName}}
}

const indexSecretNames = "secretNames"

// secretNames are the Secrets that a resource names.
func secretNames(object client.Object) []string {
	token, ok := object.(*v1alpha1.GitHubUserToken)
	if !ok {
		return nil
	}
	names := []string{token.PairSecretName()}
	if ref := token.Spec.RefreshTokenRef; ref != nil {
		names = append(names, ref.Name)
	}
	if ref := token.Spec.App.ClientSecretRef; ref != nil {
		names = append(names, ref.Name)
	}
	for _, output := range token.Spec.Outputs {
		names = append(names, output.Name)
	}
	return names
}

func (r *Reconciler) setupIndexes(mgr manager.Manager) error {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := errors.Join(
		mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.GitHubUserToken{}, indexSecretNames, secretNames),
		mgr.GetFieldIndexer().IndexField(context.Background(), secret, indexChainTokens, chainTokens),
		mgr.GetFieldIndexer().IndexField(context.Background(), secret, indexPairOwner, pairOwner),
		mgr.GetFieldIndexer().IndexField(context.Background(), secret, indexOutputOwner, outputOwner),
	)
	if err != nil {
		return fmt.Errorf("set up the indexes: %w", err)
	}
	return nil
}

// setupSecretWatch has the manager run the watch on the Secrets that people name, on the leader only.
func (r *Reconciler) setupSecretWatch(mgr manager.Manager, namespaces []string) error {
	client, err := metadata.NewForConfigAndClient(metadata.ConfigFor(mgr.GetConfig()), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make a client for the watch on Secrets: %w", err)
	}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	watch := &secretWatch{
		client: client, namespaces: namespaces, log: mgr.GetLogger().WithName("secret-watch"),
		versions: map[types.NamespacedName]string{},
		named:    func(name types.NamespacedName) bool { return len(r.naming(name)) > 0 },
		changed: func(name types.NamespacedName) {
			for _, token := range r.naming(name) {
				r.outputs.reconsider(token.UID)
				if name.Name != token.PairSecretName() { // Our own writes mend nothing.
					r.reconsider(token.UID)
					r.questions.reconsider(token.UID)
				}
				r.queue.add(types.NamespacedName{Namespace: token.Namespace, Name: token.Name})
			}
		},
	}
	r.seeds = newSeedReader(r.APIReader, watch)
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return nil
		}
		watch.run(ctx)
		return nil
	}))
	if err != nil {
		return fmt.Errorf("add the watch on Secrets: %w", err)
	}
	return nil
}

// naming are the resources that name a Secret. They are read only.
func (r *Reconciler) naming(secret types.NamespacedName) []v1alpha1.GitHubUserToken {
	var tokens v1alpha1.GitHubUserTokenList
	err := r.Client.List(context.Background(), &tokens, client.InNamespace(secret.Namespace),
		client.MatchingFields{indexSecretNames: secret.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil
	}
	return tokens.Items
}

// reconsider forgets a failure that a change to a Secret may have mended. A failure of GitHub's own is not
// mended by that, and its backoff stands.
func (r *Reconciler) reconsider(uid types.UID) {
	r.memories.with(uid, func(remembered *memory) {
		if f := remembered.failure; f != nil && !f.ambiguous && f.reason != v1alpha1.ReasonRateLimited {
			remembered.failure = nil
		}
	})
}

// flightPanicked counts and logs a panic. Its value is not printed: it might hold anything.
func flightPanicked(log logr.Logger) func(types.UID) {
	return func(uid types.UID) {
		flightPanics.Inc()
		log.Error(errors.New("panic in the work for one resource"), "A resource rests for a minute; please report it", "uid", uid)
	}
}

// commitRetried is told by the Rotator that a received pair could not be stored yet.
func (r *Reconciler) commitRetried(owner rotation.Owner, err error) {
	commitRetries.Inc()
	if !errors.Is(err, rotation.ErrDenied) && !errors.Is(err, rotation.ErrNotOwned) {
		return
	}
	r.reportTrouble(owner, "A new pair has been received and is kept safe, but the API server does not store it: "+err.Error()+". It is tried again every few seconds.")
}
