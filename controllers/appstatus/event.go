package appstatus

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// said is how the credentials of an App stood when that was last known: True, False, or empty.
type said struct{ credentials metav1.ConditionStatus }

// announce makes an event of credentials that begin to fail, and of those that are good again: one each, whatever GitHub does not
// say in between. stood is the condition that the status had before; nil when it had none. Events about a ClusterGitHubApp are in
// a namespace that others may read, and tell no more than where to look.
func (r *Reconciler) announce(a app, stood *metav1.Condition) {
	var before metav1.ConditionStatus
	if isDefinite(stood) {
		before = stood.Status
	}
	now := meta.FindStatusCondition(a.AppStatus().Conditions, v1alpha1.ConditionCredentialsValid)
	r.said.With(a.GetUID(), func(s *said) {
		if s.credentials != "" {
			before = s.credentials
		}
		if s.credentials = before; isDefinite(now) {
			s.credentials = now.Status
		}
	})
	if !isDefinite(now) || now.Status == before || now.Status == metav1.ConditionTrue && before == "" {
		return
	}
	kind, note := corev1.EventTypeNormal, now.Message
	if now.Status == metav1.ConditionFalse {
		kind = corev1.EventTypeWarning
		if a.GetNamespace() == "" {
			note = "The client ID and the client secret cannot be used. The condition CredentialsValid says what to do."
		}
	}
	r.options.Events.Eventf(a, nil, kind, now.Reason, "Check", "%s", note)
}

func isDefinite(condition *metav1.Condition) bool {
	return condition != nil && condition.Status != metav1.ConditionUnknown
}
