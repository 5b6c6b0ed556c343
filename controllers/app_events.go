package controllers

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// appReference names an App. The namespace is empty for a ClusterGitHubApp.
type appReference struct{ kind, namespace, name string }

func referenceOf(object client.Object) appReference {
	kind := v1alpha1.KindGitHubApp
	if _, ok := object.(*v1alpha1.ClusterGitHubApp); ok {
		kind = v1alpha1.KindClusterGitHubApp
	}
	return appReference{kind, object.GetNamespace(), object.GetName()}
}

// namedSecret is an App with the key of the Secret in which its client secret is.
type namedSecret struct {
	reference appReference
	key       string
}

// appsWith are the Apps whose client secret is in a Secret.
func (r *Reconciler) appsWith(secret types.NamespacedName) (found []namedSecret) {
	var list v1alpha1.GitHubAppList
	if err := r.Client.List(context.Background(), &list, client.InNamespace(secret.Namespace),
		client.MatchingFields{indexAppSecret: secret.Name}, client.UnsafeDisableDeepCopy); err == nil {
		for i := range list.Items {
			found = append(found, namedSecret{referenceOf(&list.Items[i]), list.Items[i].Spec.ClientSecretRef.Key})
		}
	}
	if !r.clusterApps || secret.Namespace != r.secretNamespace {
		return found
	}
	var offered v1alpha1.ClusterGitHubAppList
	if err := r.Client.List(context.Background(), &offered, client.MatchingFields{indexAppSecret: secret.Name}, client.UnsafeDisableDeepCopy); err == nil {
		for i := range offered.Items {
			found = append(found, namedSecret{referenceOf(&offered.Items[i]), offered.Items[i].Spec.ClientSecretRef.Key})
		}
	}
	return found
}

// using are the resources that are indexed under an App, in a namespace or, where that is empty, in all. They are read only.
func (r *Reconciler) using(namespace, index string) []v1alpha1.GitHubUserToken {
	var tokens v1alpha1.GitHubUserTokenList
	err := r.Client.List(context.Background(), &tokens, client.InNamespace(namespace), client.MatchingFields{indexApp: index}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil
	}
	return tokens.Items
}

// appChanged tells the resources that refer to an App that something about it is another.
func (r *Reconciler) appChanged(app appReference) {
	if queue := r.appQueues[app.kind]; queue != nil {
		queue.add(types.NamespacedName{Namespace: app.namespace, Name: app.name})
	}
	for _, token := range r.using(app.namespace, referenceIndex(app.kind, app.name)) {
		r.lifecycle.AppChanged(&token)
	}
}

// keyChanged tells all that use a host and client ID, however they name it, of a change in what may be done with that.
func (r *Reconciler) keyChanged(key string) {
	for _, token := range r.using("", key) {
		r.lifecycle.AppChanged(&token)
	}
	var list v1alpha1.GitHubAppList
	if err := r.Client.List(context.Background(), &list, client.MatchingFields{indexAppKey: key}, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range list.Items {
		r.appChanged(referenceOf(&list.Items[i]))
	}
}

// appEvents tells the users of an App of its changes. Nothing is added to the queue by it: the resources are woken.
func (r *Reconciler) appEvents() handler.TypedEventHandler[client.Object, reconcile.Request] {
	changed := func(objects ...client.Object) {
		keys := map[string]bool{}
		for _, object := range objects {
			keys[apps.Key(specOf(object))] = true
		}
		r.appChanged(referenceOf(objects[0]))
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			r.setLimit(key)
			if _, ok := objects[0].(*v1alpha1.ClusterGitHubApp); ok {
				r.keyChanged(key)
			}
		}
	}
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ queue) { changed(e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || e.ObjectOld.GetUID() != e.ObjectNew.GetUID() {
				changed(e.ObjectNew, e.ObjectOld)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) { changed(e.Object) },
	}
}

// namespaceEvents has the resources of a namespace reconciled when its labels have changed: other Apps may allow it.
func (r *Reconciler) namespaceEvents() handler.TypedEventHandler[client.Object, reconcile.Request] {
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) {
				return
			}
			var tokens v1alpha1.GitHubUserTokenList
			if err := r.Client.List(context.Background(), &tokens, client.InNamespace(e.ObjectNew.GetName()), client.UnsafeDisableDeepCopy); err != nil {
				return
			}
			for i := range tokens.Items {
				queue.Add(reconcile.Request{NamespacedName: scope.NameOf(&tokens.Items[i])})
			}
		},
	}
}

// setLimit sets the limit of token requests of a host and client ID. Where ClusterGitHubApps name one, the smallest counts.
// Otherwise it is the largest of the GitHubApps, each without one having the operator's: no namespace lowers another's.
func (r *Reconciler) setLimit(key string) {
	if smallest := r.offeredLimit(key); smallest > 0 {
		r.Limiter.SetLimit(key, smallest)
		return
	}
	var list v1alpha1.GitHubAppList
	if err := r.Client.List(context.Background(), &list, client.MatchingFields{indexAppKey: key}, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	largest := 0
	for i := range list.Items {
		own := int(list.Items[i].Spec.TokenRequestsPerHour)
		if own == 0 {
			largest = 0
			break
		}
		largest = max(largest, own)
	}
	r.Limiter.SetLimit(key, largest)
}

// offeredLimit is the smallest limit of the ClusterGitHubApps of a host and client ID; 0 when they set none.
func (r *Reconciler) offeredLimit(key string) (smallest int) {
	if !r.clusterApps {
		return 0
	}
	offered, err := appSource{r.Client}.ClusterGitHubAppsOf(context.Background(), key)
	if err != nil {
		return 0
	}
	for i := range offered {
		if own := int(offered[i].Spec.TokenRequestsPerHour); own > 0 && (smallest == 0 || own < smallest) {
			smallest = own
		}
	}
	return smallest
}
