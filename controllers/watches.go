package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/alternates"
	"github.com/githubusertoken/github-user-token-operator/controllers/atrest"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/scopedtokens"
	"github.com/githubusertoken/github-user-token-operator/controllers/secretwatch"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/pace"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// deletionBegun lets the update through by which a deletion is asked for.
func deletionBegun() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() && !e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

// finalizerTaken lets the update through that takes our finalizer off a resource, as kubectl replace does: without it nobody
// would carry out the deletion policy.
func (r *Reconciler) finalizerTaken() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		taken := controllerutil.ContainsFinalizer(e.ObjectOld, v1alpha1.Finalizer) && !controllerutil.ContainsFinalizer(e.ObjectNew, v1alpha1.Finalizer)
		if taken && e.ObjectNew.GetDeletionTimestamp().IsZero() {
			r.finalizerIsContested(e.ObjectNew.GetUID())
		}
		return taken
	}}
}

// statusEdited lets changes of the status through: our own find nothing to do, somebody else's are undone.
func statusEdited() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, okBefore := e.ObjectOld.(*v1alpha1.GitHubUserToken)
		after, okAfter := e.ObjectNew.(*v1alpha1.GitHubUserToken)
		return okBefore && okAfter && !equality.Semantic.DeepEqual(&before.Status, &after.Status)
	}}
}

// maxName is how long the name of an object can be. Whose a Secret is stands in its annotations, where anybody can write.
const maxName = 253

// secretEvents maps Secrets of ours to their resources, and first tells whoever remembers something of them.
func (r *Reconciler) secretEvents() handler.TypedEventHandler[client.Object, reconcile.Request] {
	enqueue := func(ctx context.Context, object client.Object, marked, starting bool, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		pair := pairOf(object)
		name, ok := leftovers.NameOf(pair)
		if uid := weblogin.UIDOf(object.GetName()); uid != "" && object.GetLabels()[v1alpha1.LabelRole] == v1alpha1.RoleLoginCode {
			name, ok = r.memory.Name(types.UID(uid))
			ok = ok && name.Namespace == object.GetNamespace()
		}
		if ok && len(name.Name) <= maxName {
			r.enqueuePair(queue, reconcile.Request{NamespacedName: name}, pair.NextRefreshAt, starting, atrest.IsUnfinished(pair) || atrest.IsMeanwhile(object))
			if isPublished := pair.State.Publication > 0 || object.GetAnnotations()[v1alpha1.AnnotationPublication] != ""; isPublished && !starting {
				alternates.EnqueueOther(ctx, r.Client, name, queue)
			}
		}
		if marked {
			r.isInTheWay(client.ObjectKeyFromObject(object))
		}
	}
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			pair := pairOf(e.Object)
			r.tokens.Seen(pair, e.Object.GetCreationTimestamp().Time, scopedtokens.CountIn(e.Object.GetAnnotations()))
			r.lifecycle.PairSeen(pair)
			enqueue(ctx, e.Object, !e.IsInInitialList, e.IsInInitialList, queue) // A start has every resource reconciled.
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			pair := pairOf(e.ObjectNew)
			if before := e.ObjectOld.GetUID(); before != e.ObjectNew.GetUID() {
				r.tokens.Gone(before) // Its deletion was missed.
			}
			r.tokens.Seen(pair, e.ObjectNew.GetCreationTimestamp().Time, scopedtokens.CountIn(e.ObjectNew.GetAnnotations()))
			r.lifecycle.PairChanged(pairOf(e.ObjectOld), pair)
			enqueue(ctx, e.ObjectNew, marksOf(e.ObjectOld) != marksOf(e.ObjectNew), false, queue)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if controller := metav1.GetControllerOfNoCopy(e.Object); controller != nil {
				r.outputs.Gone(controller.UID, e.Object.GetName(), e.Object.GetUID())
			}
			r.tokens.Gone(e.Object.GetUID())
			r.lifecycle.PairChanged(pairOf(e.Object), nil)
			enqueue(ctx, e.Object, true, false, queue)
		},
	}
}

// enqueuePair has the resource of a pair reconciled. What is due goes before the many for which nothing is. Those come last that a
// start brings and for which nothing is unfinished, and until it is their turn something may have become due: then they go first as
// well.
func (r *Reconciler) enqueuePair(queue workqueue.TypedRateLimitingInterface[reconcile.Request], request reconcile.Request, due time.Time, starting, unfinished bool) {
	now := r.Clock.Now()
	if !due.IsZero() && !now.Before(due) {
		addDue(queue, request, due)
		return
	}
	if starting && unfinished {
		addWithPriority(queue, request, fairqueue.Ordinary)
	} else {
		queue.Add(request)
	}
	if starting && !due.IsZero() {
		addDueAfter(queue, request, due, due.Sub(now))
	}
}

// pairOf is what an object in the cache tells of a pair. Of an output it tells its owner.
func pairOf(object client.Object) *rotation.Pair {
	pair, _ := pairsecret.FromMetadata(&metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
		DeletionTimestamp: object.GetDeletionTimestamp(),
		Annotations:       object.GetAnnotations(), OwnerReferences: object.GetOwnerReferences(),
	})
	if controller := metav1.GetControllerOfNoCopy(object); controller != nil && pair.Owner.Name == "" && !pair.Orphan {
		pair.Owner = rotation.Owner{Namespace: object.GetNamespace(), Name: controller.Name, UID: string(controller.UID)}
	}
	return pair
}

// newSecretWatch has the manager run the watch on the Secrets that people name, on the leader only.
func (r *Reconciler) newSecretWatch(mgr manager.Manager, options Options) (*secretwatch.Watch, error) {
	metadataClient, err := metadata.NewForConfigAndClient(metadata.ConfigFor(mgr.GetConfig()), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client for the watch on Secrets: %w", err)
	}
	changes := pace.New(pace.Options[secretwatch.Change]{Clock: options.Clock, Tell: r.namedSecretChanged, Merge: secretwatch.Merge})
	watch := secretwatch.New(secretwatch.Options{
		Client: metadataClient, Namespaces: options.Watched.Names(), Log: mgr.GetLogger().WithName("secret-watch"),
		Sleep: options.Clock.Sleep, Named: r.isNamed, Marks: marksOf,
		// Those of ours are in the manager's cache, which is complete by now, and are half of what a start finds.
		Cached:  func(object metav1.Object) bool { return object.GetLabels()[v1alpha1.LabelRole] != "" },
		Changed: func(ctx context.Context, change secretwatch.Change) { changes.Add(ctx, change.Name, change) },
	})
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			watch.Run(ctx)
		}
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("add the watch on Secrets: %w", err)
	}
	return watch, nil
}
