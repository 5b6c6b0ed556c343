package appstatus

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
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
	waits := waitsFor(a, ready)
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if kind != waits {
			meta.RemoveStatusCondition(&status.Conditions, kind)
			continue
		}
		same := ready
		same.Type, same.Status = kind, metav1.ConditionTrue
		set(a, same, now)
	}
	return min(again, countPause*time.Duration(1+used.tokens/manyTokens)), nil
}

// waitsFor is Stalled where nothing but a person makes the App usable, and Reconciling where GitHub is asked, or asked again: it
// takes some minutes to know a new client secret everywhere. Empty when the App is usable, or being deleted.
func waitsFor(a app, ready metav1.Condition) string {
	switch {
	case ready.Status == metav1.ConditionTrue || a.GetDeletionTimestamp() != nil:
		return ""
	case ready.Status == metav1.ConditionUnknown, ready.Reason == v1alpha1.ReasonIncorrectClientCredentials:
		return v1alpha1.ConditionReconciling
	default:
		return v1alpha1.ConditionStalled
	}
}

func set(a app, condition metav1.Condition, now time.Time) {
	condition.ObservedGeneration = a.GetGeneration()
	condition.LastTransitionTime = metav1.Time{Time: now.UTC().Truncate(time.Second)}
	meta.SetStatusCondition(&a.AppStatus().Conditions, condition)
}

// ready is whether the App can be used by those who may.
func (r *Reconciler) ready(ctx context.Context, a app, used usage, credentials *metav1.Condition) (metav1.Condition, error) {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	refusal, err := r.refusal(ctx, a)
	switch {
	case err != nil:
		return condition, err
	case a.GetDeletionTimestamp() != nil:
		condition.Reason, condition.Message = v1alpha1.ReasonInUse, inUse(used.tokens)
	case refusal != nil:
		condition.Reason, condition.Message = refusal.Reason, refusal.Message
	case credentials != nil && credentials.Status == metav1.ConditionFalse:
		condition.Reason, condition.Message = credentials.Reason, credentials.Message
	case credentials != nil && *credentials == notAsked && !isKnownUsable(a):
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, credentials.Reason, credentials.Message
	default:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, v1alpha1.ReasonUsable, "The App can be used."
		switch {
		case credentials != nil && credentials.Status == metav1.ConditionUnknown && *credentials != notAsked:
			condition.Message = "Nothing is known against the App. GitHub has not said yet whether it accepts the client secret."
		case a.AppSpec().ClientSecretRef == nil:
			condition.Message = "The App can be used by the device flow. Other logins need a client secret: set clientSecretRef."
		}
	}
	if condition.Reason == v1alpha1.ReasonAppNotUsable {
		return condition, nil // Nothing more is told of an App that others offer.
	}
	note, err := r.sharingNote(ctx, a)
	condition.Message += note
	return condition, err
}

// isKnownUsable reports whether the status says of the App as it is that it can be used. A process that has just started knows
// nothing of it yet, and takes that back for no turn that it waits for.
func isKnownUsable(a app) bool {
	ready := meta.FindStatusCondition(a.AppStatus().Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == a.GetGeneration()
}

// inUse says for what the deletion of an App waits.
func inUse(tokens int32) string {
	if tokens == 1 {
		return "The App is being deleted. It goes when the one GitHubUserToken that uses it has gone, or refers to another."
	}
	return fmt.Sprintf("The App is being deleted. It goes when the %d GitHubUserTokens that use it have gone, or refer to others.", tokens)
}

// refusal is what keeps anybody from using the App, whatever its client secret; nil when nothing does.
func (r *Reconciler) refusal(ctx context.Context, a app) (*metav1.Condition, error) {
	spec := a.AppSpec()
	if refused := r.options.GitHub.CheckHost(spec.Host); refused != nil {
		return &metav1.Condition{
			Reason:  v1alpha1.ReasonHostNotAllowed,
			Message: fmt.Sprintf("The host may not be used: %s. The operator's administrator sets the hosts with --allowed-hosts.", refused),
		}, nil
	}
	offered, ok := a.(*v1alpha1.ClusterGitHubApp)
	if !ok {
		barred, err := r.options.Bars(ctx, a.GetNamespace(), spec.Host, spec.ClientID)
		if barred {
			return &metav1.Condition{Reason: v1alpha1.ReasonAppNotUsable, Message: scope.AppNotUsable}, err
		}
		return nil, err
	}
	if err := selectorError(offered); err != nil {
		return &metav1.Condition{
			Reason:  v1alpha1.ReasonSelectorInvalid,
			Message: fmt.Sprintf("allowedNamespaces.selector matches no namespace, because it is malformed: %s.", err),
		}, nil
	}
	if spec.ClientSecretRef != nil && r.options.SecretNamespace == "" {
		return &metav1.Condition{
			Reason:  v1alpha1.ReasonClientSecretMissing,
			Message: "The operator does not know in which namespace the client secrets of ClusterGitHubApps are, as it does not run as a pod. Start it with --cluster-resource-namespace.",
		}, nil
	}
	return nil, nil
}

// sharingNote says with whom the App shares its limit; empty when with nobody.
func (r *Reconciler) sharingNote(ctx context.Context, a app) (string, error) {
	sharing, err := r.options.Sharing(ctx, a)
	if err != nil {
		return "", err
	}
	note := ""
	switch {
	case sharing.Others == 1:
		note = " It shares its limit of token requests with another GitHubApp or ClusterGitHubApp of the same host and client ID."
	case sharing.Others > 1:
		note = fmt.Sprintf(" It shares its limit of token requests with %d other GitHubApps or ClusterGitHubApps of the same host and client ID.", sharing.Others)
	}
	if sharing.LimitIgnored {
		note += " tokenRequestsPerHour does not count, because others may use the host and client ID as well."
	}
	return note, nil
}

// selectorError is why the selector of a ClusterGitHubApp is none; nil when it is one.
func selectorError(offered *v1alpha1.ClusterGitHubApp) error {
	if offered.Spec.AllowedNamespaces.Selector == nil {
		return nil
	}
	_, err := metav1.LabelSelectorAsSelector(offered.Spec.AllowedNamespaces.Selector)
	return err
}
