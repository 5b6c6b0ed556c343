package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// report writes the status in one patch, if it differs from what stands there, and makes events of the
// transitions. A status that was written and is not in the cache yet is not written again.
func (r *Reconciler) report(ctx context.Context, token *v1alpha1.GitHubUserToken, status *v1alpha1.GitHubUserTokenStatus) error {
	if equality.Semantic.DeepEqual(&token.Status, status) {
		return nil
	}
	hash := hashOf(status)
	written := false
	r.memories.with(token.UID, func(remembered *memory) {
		written = remembered.statusHash == hash && isOlder(token.ResourceVersion, remembered.statusVersion)
	})
	if written {
		return nil
	}
	before := token.DeepCopy()
	after := token.DeepCopy()
	after.Status = *status
	if err := r.Client.Status().Patch(ctx, after, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("write the status: %w", err))
	}
	r.memories.with(token.UID, func(remembered *memory) {
		remembered.statusHash, remembered.statusVersion = hash, after.ResourceVersion
	})
	r.announce(token, before.Status.Conditions, status)
	r.announceCode(token, before.Status.Authorization, status)
	return nil
}

// reportFlight reports an exchange whose pair cannot be stored. Any other flight reports when it has landed.
func (r *Reconciler) reportFlight(ctx context.Context, token *v1alpha1.GitHubUserToken) (ctrl.Result, error) {
	var trouble string
	r.memories.with(token.UID, func(remembered *memory) { trouble = remembered.commitTrouble })
	if trouble == "" {
		return ctrl.Result{}, nil
	}
	v, err := r.gather(ctx, token)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, token, statusOf(v, rotation.Decision{}, &obstacle{
		reason:  v1alpha1.ReasonCommitting,
		message: trouble,
	}))
}

// announce makes an event of each transition that a person may want to know. A healthy rotation has none.
func (r *Reconciler) announce(token *v1alpha1.GitHubUserToken, before []metav1.Condition, status *v1alpha1.GitHubUserTokenStatus) {
	for _, kind := range []string{v1alpha1.ConditionAuthorized, v1alpha1.ConditionStalled, v1alpha1.ConditionReady} {
		old, current := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(status.Conditions, kind)
		if current == nil || (old != nil && old.Status == current.Status && old.Reason == current.Reason) {
			continue
		}
		if kind == v1alpha1.ConditionAuthorized && current.Reason == v1alpha1.ReasonAuthorizationPending {
			continue // The code itself is announced.
		}
		severity := corev1.EventTypeNormal
		switch {
		case kind == v1alpha1.ConditionStalled:
			// The other conditions tell what stalls when a human must authorize; say it once.
			if meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionAuthorized) {
				continue
			}
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionAuthorized && current.Status == metav1.ConditionFalse:
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionReady && current.Status == metav1.ConditionFalse && old != nil && old.Status == metav1.ConditionTrue:
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionReady && current.Status == metav1.ConditionTrue && (old == nil || old.Status != metav1.ConditionTrue):
		case kind == v1alpha1.ConditionAuthorized && current.Status == metav1.ConditionTrue && old != nil && old.Status == metav1.ConditionFalse:
		default:
			continue
		}
		r.Recorder.Eventf(token, nil, severity, current.Reason, "Reconcile", "%s", current.Message)
	}
}

func hashOf(status *v1alpha1.GitHubUserTokenStatus) uint64 {
	text, err := json.Marshal(status)
	if err != nil {
		return 0
	}
	hash := fnv.New64a()
	_, _ = hash.Write(text)
	return hash.Sum64()
}

// announceCode makes an event of each code that is offered.
func (r *Reconciler) announceCode(token *v1alpha1.GitHubUserToken, before *v1alpha1.Authorization, status *v1alpha1.GitHubUserTokenStatus) {
	authorized := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAuthorized)
	if status.Authorization == nil || authorized == nil || (before != nil && before.UserCode == status.Authorization.UserCode) {
		return
	}
	r.Recorder.Eventf(token, nil, corev1.EventTypeNormal, v1alpha1.ReasonAuthorizationPending, "Authorize", "%s", authorized.Message)
}
