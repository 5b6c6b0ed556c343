package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/alternates"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/appsource"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/notices"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/resourcemetrics"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/controllers/scopedtokens"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
	"github.com/githubusertoken/github-user-token-operator/internal/background"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubusertokens,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubusertokens/status,verbs=patch
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubusertokens/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubapps,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubapps/status,verbs=patch
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubapps/finalizers,verbs=update
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconciler reconciles GitHubUserToken. Make it with New.
type Reconciler struct {
	// Client writes, and reads from the cache.
	Client client.Client
	// APIReader reads live.
	APIReader client.Reader
	// GitHub is asked about hosts and tokens.
	GitHub *github.Client
	// Limiter keeps to GitHub's limit of token requests.
	Limiter *ratelimit.Limiter
	// Outbox keeps received pairs until they are stored.
	Outbox *outbox.Outbox
	// Runner runs the exchanges; the process waits for it before it exits.
	Runner *runner.Runner
	// Recorder records events.
	Recorder events.EventRecorder
	// Clock is the time.
	Clock rotation.Clock

	namespaces watchedNamespaces
	// selector is which resources are this deployment's, and handover says when it begins with one that was another's.
	selector  shard.Selector
	handover  *shard.Handover
	lifecycle *lifecycle.Controller
	outputs   *outputs.Outputs
	// scoped gives outputs with a scope their tokens, and has the others written.
	scoped *scopedtokens.Keeper
	// alternates makes the resources for second authorizations.
	alternates alternates.Keeper
	// apps resolves the Apps of resources, and appSource follows them.
	apps      *apps.Resolver
	appSource *appsource.Apps
	// handoff is nil when the operator runs without it.
	handoff *handoff.Handoff
	memory  *memory.Store
	reports memory.Slot[reported]
	// contests are about what somebody else changes back.
	contests memory.Slot[contests]
	queue    *queue
	// background limits how many resources are looked at at once of those that a start finds at rest.
	background *background.Limit
	// tokens counts those that each account has of each App.
	tokens *tokencount.Counter
	// resourceMetrics are computed when they are asked for.
	resourceMetrics resourcemetrics.Metrics
	// inTheWay tells, by the name of a Secret of ours, of whose it has become, and freed, by its fingerprint, of a refresh
	// token that was given up.
	inTheWay, freed *pace.Pace[struct{}]
}

// Reconcile brings one resource forward; see lifecycle.Controller.Reconcile.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var token v1alpha1.GitHubUserToken
	err := r.Client.Get(ctx, request.NamespacedName, &token)
	if apierrors.IsNotFound(err) {
		if r.namespaces.Err(request.Namespace) != nil {
			return ctrl.Result{}, nil // It may be there all the same. When the cache has it, it comes again.
		}
		again, err := r.lifecycle.Gone(ctx, request.NamespacedName)
		return r.resultAfter(again), r.scoped.Gone(ctx, request.NamespacedName, err)
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("read the resource from the cache: %w", err)
	}
	if metapatch.IsTrimmed(token.Annotations) {
		if err := r.APIReader.Get(ctx, request.NamespacedName, &token); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(fmt.Errorf("read the resource, which is too large for the cache: %w", err))
		}
	}
	if !r.selector.Selects(&token) {
		r.lifecycle.Leave(token.UID)
		return ctrl.Result{}, nil
	}
	if wait := r.handover.Wait(&token); wait > 0 {
		return r.resultAfter(wait), nil
	}
	again, err := r.lifecycle.Reconcile(ctx, &token)
	return r.resultAfter(again), err
}

// resultAfter has the resource reconciled again in a time. Something is due then, and goes before what merely happens.
func (r *Reconciler) resultAfter(again time.Duration) ctrl.Result {
	return ctrl.Result{RequeueAfter: again, Priority: new(fairqueue.Due(r.Clock.Now().Add(again)))}
}

// ReceiveWebhooks adds a receiver of GitHub's webhooks to the manager; see notices.Listen.
func (r *Reconciler) ReceiveWebhooks(mgr manager.Manager, address, file string) (*notices.Receiver, error) {
	return notices.Listen(mgr, r.lifecycle, appWebhooks{r.appSource}, address, file)
}

// appWebhooks are the webhooks of Apps, as the receiver of notices wants them.
type appWebhooks struct{ source *appsource.Apps }

// Webhook implements notices.Apps.
func (w appWebhooks) Webhook(ctx context.Context, path string) (of *notices.Webhook, isApps bool, err error) {
	if !appsource.IsWebhook(path) {
		return nil, false, nil
	}
	found, err := w.source.Webhook(ctx, path)
	if found == nil {
		return nil, true, err
	}
	return &notices.Webhook{Secret: found.Secret, Key: found.Key, Namespace: found.Namespace}, true, err
}

// Replay starts storing each pair that an earlier life of this pod received and did not store. It is called
// before the manager starts.
func (r *Reconciler) Replay(log logr.Logger, records []rotation.Record) {
	r.lifecycle.Replay(log, records)
}
