package appstatus

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// describe brings the status of an App up to date, and returns when to look again.
func (r *Reconciler) describe(ctx context.Context, a app, used usage) (time.Duration, error) {
	status := a.AppStatus()
	status.ObservedGeneration = a.GetGeneration()
	status.Tokens, status.Accounts, status.LastUseTime = used.tokens, used.accounts, used.last
	credentials, again, err := r.credentials(ctx, a)
	if err != nil {
		return 0, err
	}
	now := r.options.Clock.Now()
	if credentials == nil {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionCredentialsValid)
	} else {
		set(a, *credentials, now)
	}
	ready, err := r.ready(ctx, a, used, credentials)
	if err != nil {
		return 0, err
	}
	set(a, ready, now)
	return min(again, countPause*time.Duration(1+used.tokens/manyTokens)), nil
}

func set(a app, condition metav1.Condition, now time.Time) {
	condition.ObservedGeneration = a.GetGeneration()
	condition.LastTransitionTime = metav1.Time{Time: now.UTC().Truncate(time.Second)}
	meta.SetStatusCondition(&a.AppStatus().Conditions, condition)
}

// ready is whether the App can be used by those who may.
func (r *Reconciler) ready(ctx context.Context, a app, used usage, credentials *metav1.Condition) (metav1.Condition, error) {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	spec := a.AppSpec()
	refused := r.options.GitHub.CheckHost(spec.Host)
	switch {
	case a.GetDeletionTimestamp() != nil:
		condition.Reason = v1alpha1.ReasonInUse
		condition.Message = fmt.Sprintf("The App is being deleted. It goes when no GitHubUserToken uses it any more: %d do.", used.tokens)
	case refused != nil:
		condition.Reason = v1alpha1.ReasonHostNotAllowed
		condition.Message = fmt.Sprintf("The host may not be used: %s. The operator's administrator sets the hosts with --allowed-hosts.", refused)
	case selectorError(a) != nil:
		condition.Reason = v1alpha1.ReasonSelectorInvalid
		condition.Message = fmt.Sprintf("allowedNamespaces.selector matches no namespace, because it is malformed: %s.", selectorError(a))
	case credentials != nil && credentials.Status == metav1.ConditionFalse:
		condition.Reason, condition.Message = credentials.Reason, credentials.Message
	default:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, v1alpha1.ReasonUsable, "The App can be used."
		if spec.ClientSecretRef == nil {
			condition.Message = "The App can be used by the device flow. Other logins need a client secret: set clientSecretRef."
		}
	}
	twins, err := r.options.Twins(ctx, spec)
	if err != nil {
		return condition, err
	}
	if twins > 0 {
		condition.Message += fmt.Sprintf(" It shares its limit of token requests with %d other GitHubApps or ClusterGitHubApps of the same host and client ID.", twins)
	}
	return condition, nil
}

// selectorError is why the selector of a ClusterGitHubApp is none; nil when it is one.
func selectorError(a app) error {
	offered, ok := a.(*v1alpha1.ClusterGitHubApp)
	if !ok || offered.Spec.AllowedNamespaces.Selector == nil {
		return nil
	}
	_, err := metav1.LabelSelectorAsSelector(offered.Spec.AllowedNamespaces.Selector)
	return err
}
