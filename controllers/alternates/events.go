package alternates

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// EnqueueOther has the other one of two resources reconciled whose chains take turns.
func EnqueueOther(ctx context.Context, cache client.Reader, name types.NamespacedName, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	if other := OtherOf(ctx, cache, name); other.Name != "" {
		queue.Add(reconcile.Request{NamespacedName: other})
	}
}

// OtherOf is the name of the other one of two resources whose chains take turns, given the name of one of them; empty where there is none. What is
// news to one is news to the other.
func OtherOf(ctx context.Context, cache client.Reader, name types.NamespacedName) types.NamespacedName {
	base, isAlternate := strings.CutSuffix(name.Name, v1alpha1.AlternateName(""))
	other := types.NamespacedName{Namespace: name.Namespace, Name: base}
	if !isAlternate {
		other.Name = v1alpha1.AlternateName(name.Name)
	}
	var found v1alpha1.GitHubUserToken
	if cache.Get(ctx, other, &found) != nil {
		return types.NamespacedName{}
	}
	if _, _, of := found.AlternateOf(); !isAlternate && !of || isAlternate && !found.IsAlternating() {
		return types.NamespacedName{}
	}
	return other
}

// Events has the resource that workloads know reconciled when its alternate changes: what is said of that one is said of both.
func Events() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		token, ok := object.(*v1alpha1.GitHubUserToken)
		if !ok {
			return nil
		}
		name, _, is := token.AlternateOf()
		if !is {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: token.Namespace, Name: name}}}
	})
}
