package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/atrest"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// starts has the resources that a start finds reconciled as what happens, but for those at rest. Those come last and by few
// workers: all they may need is a status in this version's words.
func (r *Reconciler) starts() handler.TypedEventHandler[client.Object, reconcile.Request] {
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			token, ok := e.Object.(*v1alpha1.GitHubUserToken)
			if ok && e.IsInInitialList && r.selector.Selects(token) && !isAtRest(token, r.cachedPair(ctx, token)) {
				addWithPriority(queue, reconcile.Request{NamespacedName: scope.NameOf(token)}, fairqueue.Ordinary)
			}
		},
	}
}

func isAtRest(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	return atrest.IsResource(token, pair) && handoff.IsDone(token, &pair.State)
}

// cachedPair is the pair of a resource as the cache has it; nil when it has none.
func (r *Reconciler) cachedPair(ctx context.Context, token *v1alpha1.GitHubUserToken) *rotation.Pair {
	secret, err := cachedSecret(ctx, r.Client, types.NamespacedName{Namespace: token.Namespace, Name: token.PairSecretName()})
	if err != nil || secret == nil || metapatch.IsTrimmed(secret.Annotations) {
		return nil
	}
	return pairOf(secret)
}
