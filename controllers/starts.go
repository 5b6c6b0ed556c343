package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/fairqueue"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// A start brings every resource, and those come last and by few workers that are at rest: all they may need is a status in this
// version's words. Whatever may lose something by waiting is no less urgent for a start.

// starts has the resources that a start finds reconciled as what happens, but for those at rest.
func (r *Reconciler) starts() handler.TypedEventHandler[client.Object, reconcile.Request] {
	return handler.TypedFuncs[client.Object, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			token, ok := e.Object.(*v1alpha1.GitHubUserToken)
			if ok && e.IsInInitialList && r.selector.Selects(token) && !r.isAtRest(ctx, token) {
				addWithPriority(queue, reconcile.Request{NamespacedName: scope.NameOf(token)}, fairqueue.Ordinary)
			}
		},
	}
}

// isAtRest reports whether nothing waits to be done about a resource but what its pair has a time for: its status says that all
// is well, and is that of its spec and of its pair. Who does not know says no.
func (r *Reconciler) isAtRest(ctx context.Context, token *v1alpha1.GitHubUserToken) bool {
	status := &token.Status
	switch {
	case !token.DeletionTimestamp.IsZero(), !controllerutil.ContainsFinalizer(token, v1alpha1.Finalizer), metapatch.IsTrimmed(token.Annotations),
		status.ObservedGeneration != token.Generation, status.Authorization != nil,
		!meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady), !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionAuthorized),
		meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReconciling), meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled):
		return false
	}
	pair, request := r.cachedPair(ctx, token), scope.RequestOf(token)
	return pair != nil && pair.Owner.UID == string(token.UID) && !pair.LacksState() && !isUnfinished(pair) &&
		pair.State.Owner == string(token.UID) && (request == "" || request == pair.State.RefreshRequestedAt) &&
		status.RefreshCount == pair.State.RefreshCount && status.LastRefreshTime.Equal(timeOf(pair.State.IssuedAt)) && isHandedOver(token, &pair.State)
}

// cachedPair is the pair of a resource as the cache has it; nil when it has none.
func (r *Reconciler) cachedPair(ctx context.Context, token *v1alpha1.GitHubUserToken) *rotation.Pair {
	secret, err := cachedSecret(ctx, r.Client, types.NamespacedName{Namespace: token.Namespace, Name: token.PairSecretName()})
	if err != nil || secret == nil || metapatch.IsTrimmed(secret.Annotations) {
		return nil
	}
	return pairOf(secret)
}

// isUnfinished reports whether something about a pair was begun and not brought to its end: an exchange, a login, or its deletion.
func isUnfinished(pair *rotation.Pair) bool {
	return pair.Deleting || pair.Intent != nil || pair.State.PendingSeed != "" || pair.State.Device != nil
}

// isMeanwhile reports whether a Secret of ours is there only while something is under way: a login, or the replacement of a pair.
func isMeanwhile(secret client.Object) bool {
	role := secret.GetLabels()[v1alpha1.LabelRole]
	return role == v1alpha1.RoleLogin || role == v1alpha1.RoleBackup
}

// isHandedOver reports whether the workloads were told of the token, where that is asked for and was done before.
func isHandedOver(token *v1alpha1.GitHubUserToken, state *rotation.State) bool {
	last := token.Status.LastHandoffTime
	return token.Spec.Handoff == nil || last == nil || last.Equal(handoff.TimeOf(state))
}
