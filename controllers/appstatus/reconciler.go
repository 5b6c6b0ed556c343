package appstatus

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// GitHub is what is asked of GitHub.
type GitHub interface {
	// CheckToken reports whether a token is alive; its errors are *github.Error, or *restlimit.WaitingError where there is no turn
	// to try a client secret that GitHub is not known to take.
	CheckToken(ctx context.Context, who restlimit.Caller, app github.App, token credential.AccessToken) (github.Check, error)
	// Cancel gives up a place among those who wait for a turn.
	Cancel(id string)
	// CheckHost says why a host must not be called; nil when it may be.
	CheckHost(host string) error
}

// Events records events, as events.EventRecorder does.
type Events interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// Options configure a Reconciler. All but Selects are needed.
type Options struct {
	// Client writes, and reads from the cache.
	Client client.Client
	GitHub GitHub
	// Users are the resources that refer to an App of a kind, namespace and name, admitted or not. They are read only.
	Users func(ctx context.Context, kind, namespace, name string) ([]v1alpha1.GitHubUserToken, error)
	// Admits reports whether a resource may use the ClusterGitHubApp that it refers to.
	Admits func(ctx context.Context, app *v1alpha1.ClusterGitHubApp, token *v1alpha1.GitHubUserToken) (bool, error)
	// Bars reports whether ClusterGitHubApps keep a namespace from a host and client ID.
	Bars func(ctx context.Context, namespace, host, clientID string) (bool, error)
	// Sharing is with whom an App shares its host and client ID.
	Sharing func(ctx context.Context, app client.Object) (Sharing, error)
	// ClientSecret reads a client secret live, with the version of its Secret. A problem says why there is none.
	ClientSecret func(ctx context.Context, secret types.NamespacedName, key string) (value credential.ClientSecret, version string, p *problem.Problem, err error)
	// Version is what the watch tells of the version of a Secret; see seeds.Versions.
	Version func(secret types.NamespacedName) (version string, known bool)
	// SecretNamespace is that of the client secrets of ClusterGitHubApps; empty when it is not known.
	SecretNamespace string
	// Selects reports whether an App's status and finalizer are this process's to keep. Nil: all are.
	Selects func(app client.Object) bool
	// Events tell of credentials that begin to fail, and that are good again.
	Events Events
	// Memory is for Apps alone: resources may have the same names.
	Memory *memory.Store
	Clock  rotation.Clock
}

// Sharing is with whom an App shares its host and client ID.
type Sharing struct {
	// Others is how many other Apps have the same.
	Others int
	// LimitIgnored reports that the limit of a GitHubApp does not count, because others may use the same.
	LimitIgnored bool
}

// Reconciler keeps the status of Apps of one kind. Make it with New.
type Reconciler struct {
	options Options
	empty   func() app
	notes   memory.Slot[note]
	said    memory.Slot[said]
}

// New makes a Reconciler for a kind, of which empty makes an object.
func New(options Options, cluster bool) *Reconciler {
	r := &Reconciler{options: options, notes: memory.NewSlot[note](options.Memory), said: memory.NewSlot[said](options.Memory)}
	r.empty = func() app {
		if cluster {
			return &v1alpha1.ClusterGitHubApp{}
		}
		return &v1alpha1.GitHubApp{}
	}
	return r
}

// countPause is how old the count of users may be, for each manyTokens of them: to count them costs a look at each.
const (
	countPause = time.Minute
	manyTokens = 10000
)

// Reconcile brings the status of one App up to date.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	a := r.empty()
	if err := r.options.Client.Get(ctx, request.NamespacedName, a); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(request.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read the App from the cache: %w", err)
	}
	if r.options.Selects != nil && !r.options.Selects(a) {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	used, err := r.usageOf(ctx, a)
	if err != nil {
		return ctrl.Result{}, err
	}
	if a.GetDeletionTimestamp() != nil && used.tokens == 0 {
		return ctrl.Result{}, r.setFinalizer(ctx, a, controllerutil.RemoveFinalizer)
	}
	if a.GetDeletionTimestamp() == nil {
		if err := r.setFinalizer(ctx, a, controllerutil.AddFinalizer); err != nil {
			return ctrl.Result{}, err
		}
	}
	r.options.Memory.Learn(a.GetUID(), types.NamespacedName{Namespace: a.GetNamespace(), Name: a.GetName()})
	again, err := r.report(ctx, a, used)
	return ctrl.Result{RequeueAfter: again}, err
}

// forget drops what is remembered of an App that has gone, whoever has released it.
func (r *Reconciler) forget(name types.NamespacedName) {
	for _, uid := range r.options.Memory.UIDs(name) {
		r.options.Memory.Forget(uid)
		r.options.GitHub.Cancel(string(uid))
	}
}

// setFinalizer writes our finalizer, or takes it off, where that is not so yet.
func (r *Reconciler) setFinalizer(ctx context.Context, a app, change func(client.Object, string) bool) error {
	before := client.MergeFromWithOptions(copyOf(a), client.MergeFromWithOptimisticLock{})
	if !change(a, v1alpha1.Finalizer) {
		return nil
	}
	if err := r.options.Client.Patch(ctx, a, before); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the App's finalizer: %w", err))
	}
	return nil
}

func copyOf(a app) client.Object {
	copied, ok := a.DeepCopyObject().(client.Object)
	if !ok {
		panic("an App is no object")
	}
	return copied
}

// report writes the status where it differs, and returns when to look again.
func (r *Reconciler) report(ctx context.Context, a app, used usage) (time.Duration, error) {
	before := copyOf(a)
	status := a.AppStatus()
	stood := status.DeepCopy()
	again, err := r.describe(ctx, a, used)
	if err != nil {
		return 0, err
	}
	if equality.Semantic.DeepEqual(stood, status) {
		return again, nil
	}
	if err := r.options.Client.Status().Patch(ctx, a, client.MergeFrom(before)); err != nil {
		return 0, client.IgnoreNotFound(fmt.Errorf("write the status of the App: %w", err))
	}
	r.announce(a, meta.FindStatusCondition(stood.Conditions, v1alpha1.ConditionCredentialsValid))
	return again, nil
}
