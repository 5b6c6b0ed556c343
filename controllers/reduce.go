package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// A status that the API server refuses as invalid would leave the former one standing, which may tell of a token that has
// expired since. Something in it came from where others write. So it is reduced until it is taken: how the conditions
// stand is what matters.

// refusedMessage stands in the place of a message that may be what the API server refuses.
const refusedMessage = "The API server refuses what the operator has to say; the log of the operator has the reason."

// reductions are the steps in which a status is reduced, each on top of the one before.
var reductions = []func(*v1alpha1.GitHubUserTokenStatus){
	func(status *v1alpha1.GitHubUserTokenStatus) {
		for i := range status.Conditions {
			status.Conditions[i].Message = refusedMessage
		}
	},
	func(status *v1alpha1.GitHubUserTokenStatus) {
		for i := range status.Conditions {
			status.Conditions[i].Reason = v1alpha1.ReasonStatusRefused
		}
	},
	func(status *v1alpha1.GitHubUserTokenStatus) {
		*status = v1alpha1.GitHubUserTokenStatus{ObservedGeneration: status.ObservedGeneration, Conditions: status.Conditions}
	},
	func(status *v1alpha1.GitHubUserTokenStatus) {
		for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
			meta.RemoveStatusCondition(&status.Conditions, kind)
		}
	},
}

// patchStatus writes a status, or as much of it as the API server takes. It returns the resource as it stands then, and
// what was refused; nil when nothing was.
func (r *Reconciler) patchStatus(ctx context.Context, token *v1alpha1.GitHubUserToken, status *v1alpha1.GitHubUserTokenStatus) (after *v1alpha1.GitHubUserToken, refused, err error) {
	wanted := status.DeepCopy()
	for step := 0; ; step++ {
		after = token.DeepCopy()
		after.Status = *wanted.DeepCopy()
		began := time.Now()
		err = r.Client.Status().Patch(ctx, after, client.MergeFrom(token))
		r.background.Answered(time.Since(began), err)
		if !apierrors.IsInvalid(err) || step == len(reductions) {
			return after, refused, err
		}
		refused = err
		reductions[step](wanted)
	}
}

// timelessHashOf is hashOf without the times of transitions, which are those of whatever stood there before.
func timelessHashOf(status *v1alpha1.GitHubUserTokenStatus) uint64 {
	timeless := status.DeepCopy()
	for i := range timeless.Conditions {
		timeless.Conditions[i].LastTransitionTime = metav1.Time{}
	}
	return hashOf(timeless)
}

// logRefused says once what of a status the API server refuses.
func logRefused(ctx context.Context, refused error) {
	logf.FromContext(ctx).Error(fmt.Errorf("write the status: %w", refused), "The API server refuses the status as invalid, so that less is written; please report it")
}

// tellRefused makes an event of a status of which the API server takes nothing: a policy may refuse all writes of the subresource,
// or a right be missing. The status can tell of nothing then. It is said once for each cause.
func (r *Reconciler) tellRefused(token *v1alpha1.GitHubUserToken, err error) {
	if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		return // A conflict, an outage, or the end of the resource.
	}
	cause, known := credential.Scrub(err.Error()), false
	r.reports.With(token.UID, func(last *reported) { known, last.told = last.told == cause, cause })
	if known {
		return
	}
	r.Recorder.Eventf(token, nil, corev1.EventTypeWarning, v1alpha1.ReasonStatusRefused, "Report", "%s",
		shortenedTo(maxNote, "The API server refuses the status of this resource, so what it tells is out of date. The token itself is refreshed. Have what refuses that let the operator write the status: "+cause))
}

// maxNote is how long the note of an event may be, in bytes.
const maxNote = 1 << 10
