package controllers

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubusertokens,verbs=get;list;watch;update;patch
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubusertokens/status,verbs=get;update;patch
// +kubebuilder:rbac:groups=githubusertoken.dev,resources=githubusertokens/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch

// Reconciler reconciles GitHubUserToken. Make it with New.
type Reconciler struct {
	// Client writes, and reads from the cache.
	Client client.Client
	// APIReader reads live.
	APIReader client.Reader
	// Store keeps the pairs.
	Store *pairsecret.Store
	// Rotator carries out the protocol.
	Rotator *rotation.Rotator
	// GitHub is asked about hosts and tokens; exchanges go through Rotator only.
	GitHub *github.Client
	// Limiter keeps to GitHub's limit of token requests.
	Limiter *ratelimit.Limiter
	// Outbox keeps received pairs until they are stored.
	Outbox *outbox.Outbox
	// Flights are the exchanges under way.
	Flights *Flights
	// Recorder records events.
	Recorder events.EventRecorder
	// Clock is the time.
	Clock rotation.Clock

	memories *memories
	outputs  *outputMemories
	proofs   *proofs
	orphans  orphans
	// devices, questions and ends are what is asked of GitHub beside exchanges.
	devices   *devices
	questions *questions
	ends      *ends
	// handoff is nil when the operator runs without it.
	handoff *handoff
	seeds   *seedReader
	claims  *claims
	queue   *queue
}

// Reconcile brings one resource forward: it gathers what is known, decides, starts what is to be done, and
// reports. It never waits for GitHub.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var token v1alpha1.GitHubUserToken
	if err := r.Client.Get(ctx, request.NamespacedName, &token); err != nil {
		if apierrors.IsNotFound(err) {
			r.forgetGone(request.NamespacedName)
			again, err := r.releaseOrphans(ctx, request.NamespacedName)
			return ctrl.Result{RequeueAfter: again}, err
		}
		return ctrl.Result{}, fmt.Errorf("read the resource from the cache: %w", err)
	}
	r.queue.learn(token.UID, request.NamespacedName)
	if r.Flights.Busy(token.UID) {
		return r.reportFlight(ctx, &token)
	}
	if !token.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, &token)
	}
	if controllerutil.AddFinalizer(&token, v1alpha1.Finalizer) {
		if err := r.patchFinalizers(ctx, &token); err != nil {
			return ctrl.Result{}, err
		}
	}
	v, err := r.gather(ctx, &token)
	if err != nil {
		return ctrl.Result{}, err
	}
	decision := rotation.Decide(v.input)
	stop, err := r.carryOut(ctx, v, decision)
	if err != nil {
		return ctrl.Result{}, err
	}
	switch {
	case stop != nil:
	case v.device.asking:
		return ctrl.Result{}, nil
	case decision.Action.Exchanges(), decision.Action == rotation.ActionProve:
		return ctrl.Result{}, nil // The flight has the resource reconciled again when it has landed.
	case decision.Action == rotation.ActionRestore, decision.Action == rotation.ActionAdopt, decision.Action == rotation.ActionReclaim:
		return ctrl.Result{RequeueAfter: time.Millisecond}, nil // Decide again, on the pair as it is now.
	}
	if err := r.tend(ctx, v); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.tendOutputs(ctx, v); err != nil {
		return ctrl.Result{}, err
	}
	if v.misplaced != nil {
		v.aside = v.misplaced
	}
	if v.untended != nil {
		v.aside, v.asideNext = v.untended, v.now.Add(time.Minute)
	}
	r.tendHandoff(logf.FromContext(ctx), v)
	status := statusOf(v, decision, stop)
	if err := r.report(ctx, v.token, status); err != nil {
		return ctrl.Result{}, err
	}
	r.ask(ctx, v)
	return ctrl.Result{RequeueAfter: lookAgain(v, decision, stop)}, nil
}

// carryOut does what was decided, or says what stands in the way.
func (r *Reconciler) carryOut(ctx context.Context, v *view, decision rotation.Decision) (*obstacle, error) {
	switch {
	case decision.Action == rotation.ActionRestore:
		return r.restore(ctx, v)
	case decision.Action == rotation.ActionAdopt:
		return r.adopt(ctx, v)
	case decision.Action == rotation.ActionReclaim:
		return r.reclaim(ctx, v)
	case decision.Action == rotation.ActionProve:
		return r.prove(ctx, v)
	case decision.Action.Exchanges():
		return r.launch(ctx, v, decision)
	case decision.Obstacle == rotation.ObstacleNotOwned:
		return r.obstacleOf(v, decision), r.releaseFormer(ctx, v)
	default:
		return r.authorize(ctx, v, decision, r.obstacleOf(v, decision))
	}
}

// patchFinalizers writes the resource's finalizers under its resourceVersion.
func (r *Reconciler) patchFinalizers(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	changed := token.DeepCopy()
	before := token.DeepCopy()
	if controllerutil.ContainsFinalizer(token, v1alpha1.Finalizer) {
		controllerutil.RemoveFinalizer(before, v1alpha1.Finalizer)
	} else {
		controllerutil.AddFinalizer(before, v1alpha1.Finalizer)
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, changed, patch); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the resource's finalizer: %w", err))
	}
	changed.DeepCopyInto(token)
	return nil
}

// lookAgain is when the next reconcile is due: at the next action, at the next try, or when the access
// token expires and the report changes. Zero means that only a change can make a difference.
func lookAgain(v *view, decision rotation.Decision, stop *obstacle) time.Duration {
	at := decision.At
	consider := func(t time.Time) {
		if t.After(v.now) && (!at.After(v.now) || t.Before(at)) {
			at = t
		}
	}
	if stop != nil {
		consider(stop.next)
	}
	consider(v.asideNext)
	consider(v.device.look)
	if v.pair != nil && v.pair.State.Expires() {
		consider(v.pair.State.ExpiresAt)
	}
	if !at.After(v.now) {
		return 0
	}
	// A moment later rather than a moment earlier: the decision compares with the wall clock.
	return at.Sub(v.now) + time.Millisecond
}
