package appsource

import (
	"context"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

type requests = workqueue.TypedRateLimitingInterface[reconcile.Request]

// AppEvents are told of changes of Apps. Nothing is added to the queue by them: whom it concerns is told beside the event.
func (a *Apps) AppEvents() handler.TypedEventHandler[client.Object, reconcile.Request] {
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ requests) {
			if e.IsInInitialList { // A start has every resource and every App looked at, and nothing is remembered that an App could mend.
				a.limitChanged(e.Object.GetNamespace(), specOf(e.Object))
				return
			}
			a.appChanged(e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ requests) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectOld.GetUID() != e.ObjectNew.GetUID() {
				a.appChanged(e.ObjectOld)
				a.appChanged(e.ObjectNew)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ requests) { a.appChanged(e.Object) },
	}
}

// appChanged has everybody told whom a change of an App may concern: those who refer to it, and those of its host and client
// ID.
func (a *Apps) appChanged(object client.Object) {
	a.add(object.GetNamespace(), kindOf(object), object.GetName())
	a.limitChanged(object.GetNamespace(), specOf(object))
	if kindOf(object) == v1alpha1.KindClusterGitHubApp {
		a.add("", newsKey, keyOf(specOf(object)))
	}
}

// NamespaceEvents has the resources of a namespace reconciled when its labels have changed: other Apps may allow it.
func (a *Apps) NamespaceEvents() handler.TypedEventHandler[client.Object, reconcile.Request] {
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ requests) {
			if !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) {
				a.add(e.ObjectNew.GetName(), newsLabels, "")
			}
		},
	}
}

// usersCome has an App of a kind looked at when a resource that refers to it has come or gone.
func (a *Apps) usersCome(kind string) handler.TypedEventHandler[client.Object, reconcile.Request] {
	look := func(object client.Object, to requests) {
		token, ok := object.(*v1alpha1.GitHubUserToken)
		switch ref := appRefOf(token); {
		case !ok:
		case ref == nil && kind == v1alpha1.KindGitHubApp:
			a.inlineChanged(token)
		case ref != nil && ref.Kind == kind:
			name := types.NamespacedName{Name: ref.Name}
			if kind == v1alpha1.KindGitHubApp {
				name.Namespace = token.Namespace
			}
			to.AddAfter(reconcile.Request{NamespacedName: name}, usersPause)
		}
	}
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, to requests) { look(e.Object, to) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, to requests) {
			if token, ok := e.ObjectNew.(*v1alpha1.GitHubUserToken); ok && token.Spec.App.Ref != nil && token.Spec.App.Ref.Kind == kind {
				a.doubtFor(ctx, e.ObjectOld, token)
			}
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || isReleased(e.ObjectOld) != isReleased(e.ObjectNew) {
				look(e.ObjectOld, to)
				look(e.ObjectNew, to)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, to requests) { look(e.Object, to) },
	}
}

// doubtFor has GitHub asked about the App of a resource of another deployment, whose status has just come to tell that GitHub has
// refused it. Of its own resources a deployment is told by its exchanges.
func (a *Apps) doubtFor(ctx context.Context, before, after client.Object) {
	if a.options.Selector.Selects(after) {
		return
	}
	was, okBefore := before.(*v1alpha1.GitHubUserToken)
	is, okAfter := after.(*v1alpha1.GitHubUserToken)
	if okBefore && okAfter && !isRefused(was) && isRefused(is) && a.mayDoubt(ctx, is) {
		a.Doubt(is)
	}
}

// mayDoubt reports whether what GitHub is said to have refused to a resource counts: of somebody else's App it does where the
// resource may use it. Others could have it asked about at will.
func (a *Apps) mayDoubt(ctx context.Context, token *v1alpha1.GitHubUserToken) bool {
	ref := token.Spec.App.Ref
	if ref == nil || ref.Kind != v1alpha1.KindClusterGitHubApp {
		return ref != nil
	}
	app, err := a.options.Source.ClusterGitHubApp(ctx, ref.Name)
	if err != nil || app == nil {
		return false // It is asked once a day anyway.
	}
	admitted, err := a.options.Resolver.Admits(ctx, app, token)
	return admitted && err == nil
}

// isRefused reports whether the status of a resource tells that GitHub has refused the App that the spec names now. Of somebody
// else's App it does so in other words, and of one that the resource may not use in others again.
func isRefused(token *v1alpha1.GitHubUserToken) bool {
	return slices.ContainsFunc(token.Status.Conditions, func(c metav1.Condition) bool {
		if c.ObservedGeneration != token.Generation {
			return false
		}
		switch c.Reason {
		case v1alpha1.ReasonIncorrectClientCredentials, v1alpha1.ReasonAppMisconfigured:
			return true
		default:
			return c.Reason == v1alpha1.ReasonAppNotUsable && strings.Contains(c.Message, scope.AppNotUsableYet)
		}
	})
}

// isReleased reports whether an object is a resource that uses its App no more, although it is there.
func isReleased(object client.Object) bool {
	token, ok := object.(*v1alpha1.GitHubUserToken)
	return ok && scope.IsReleased(token)
}

func appRefOf(token *v1alpha1.GitHubUserToken) *v1alpha1.AppReference {
	if token == nil {
		return nil
	}
	return token.Spec.App.Ref
}
