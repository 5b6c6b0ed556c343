package controllers

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// announcedConditions are those whose transitions can be events, in the order in which these are made.
var announcedConditions = [...]string{v1alpha1.ConditionAuthorized, v1alpha1.ConditionStalled, v1alpha1.ConditionReady}

// standing is what a status has told by events: how its conditions stand, and which code is offered, or that a link is.
type standing struct {
	// conditions are in the order of announcedConditions; zero for one that is not there.
	conditions [len(announcedConditions)]struct {
		status metav1.ConditionStatus
		reason string
	}
	offered string
}

func standingOf(status *v1alpha1.GitHubUserTokenStatus) (s standing) {
	for i, kind := range announcedConditions {
		if condition := meta.FindStatusCondition(status.Conditions, kind); condition != nil {
			s.conditions[i].status, s.conditions[i].reason = condition.Status, condition.Reason
		}
	}
	if status.Authorization != nil {
		s.offered = cmp.Or(status.Authorization.UserCode, "a link")
	}
	return s
}

// misconfigured are reasons for which there is no first token until somebody has corrected something, and for which it is tried
// again all the same, since it may be corrected at GitHub.
var misconfigured = []string{
	v1alpha1.ReasonIncorrectClientCredentials, v1alpha1.ReasonAppMisconfigured, v1alpha1.ReasonCertificateNotTrusted, v1alpha1.ReasonRedirected,
	v1alpha1.ReasonDeviceFlowDisabled, v1alpha1.ReasonAccountSuspended,
	v1alpha1.ReasonCommitting, // The first pair was received, and somebody keeps it from being stored.
}

// announce makes an event of each transition that a person may want to know, and of each code that is offered. A
// healthy rotation has none.
func (r *Reconciler) announce(token *v1alpha1.GitHubUserToken, stood standing, status *v1alpha1.GitHubUserTokenStatus) {
	if scope.IsReleased(token) && !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled) {
		return // What becomes of it somebody has asked for.
	}
	stands := standingOf(status)
	for i, kind := range announcedConditions {
		if stands.conditions[i] == stood.conditions[i] {
			continue
		}
		current := meta.FindStatusCondition(status.Conditions, kind)
		if current == nil {
			continue
		}
		if kind == v1alpha1.ConditionAuthorized && current.Reason == v1alpha1.ReasonAuthorizationPending {
			continue // The code itself is announced.
		}
		old, severity := stood.conditions[i].status, corev1.EventTypeNormal
		switch {
		case kind == v1alpha1.ConditionStalled:
			// The other conditions tell what stalls when a human must authorize; say it once.
			if meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionAuthorized) {
				continue
			}
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionAuthorized && current.Status == metav1.ConditionFalse:
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionReady && current.Status == metav1.ConditionFalse && old == metav1.ConditionTrue:
			if stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled); stalled != nil && stalled.Message == current.Message {
				continue // It has just been said.
			}
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionReady && current.Status == metav1.ConditionFalse && slices.Contains(misconfigured, current.Reason) &&
			!meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled):
			severity = corev1.EventTypeWarning
		case kind == v1alpha1.ConditionReady && current.Status == metav1.ConditionTrue && old != metav1.ConditionTrue:
		case kind == v1alpha1.ConditionAuthorized && current.Status == metav1.ConditionTrue && old == metav1.ConditionFalse:
		default:
			continue
		}
		r.Recorder.Eventf(token, nil, severity, current.Reason, "Reconcile", "%s", current.Message)
	}
	authorized := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAuthorized)
	if authorized != nil && authorized.Reason == v1alpha1.ReasonAuthorizationPending && stands.offered != "" && stands.offered != stood.offered {
		r.Recorder.Eventf(token, nil, corev1.EventTypeNormal, v1alpha1.ReasonAuthorizationPending, "Authorize", "%s", authorized.Message)
	}
}
