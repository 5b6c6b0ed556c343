package words

import (
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// Overwritten is the problem of a pair whose access token somebody else overwrites.
func Overwritten(secret string, times int, retryAt time.Time) problem.Problem {
	return problem.Problem{
		Reason: v1alpha1.ReasonContested, RetryAt: retryAt,
		Message: fmt.Sprintf("Somebody else overwrites the access token in Secret %q each time the operator has stored a new one: %d times within minutes. Have that leave the Secret alone. The operator requests a new token later each time.",
			secret, times),
	}
}

// FinalizerTakenOff is the problem of a resource that is being deleted without our finalizer, while its pair is there in a Secret.
func FinalizerTakenOff(token *v1alpha1.GitHubUserToken, secret string) *problem.Problem {
	message := fmt.Sprintf("The resource is being deleted, and somebody has taken the operator's finalizer off it, or kept it off: spec.deletionPolicy is not carried out. The pair in Secret %q is not refreshed any more. It is deleted with the resource, when others have taken their finalizers off; a Secret that was orphaned stays, to be deleted by hand.",
		secret)
	switch token.Spec.DeletionPolicy {
	case v1alpha1.DeletionPolicyRetain:
		message += " To keep the pair, copy it from there before that."
	case v1alpha1.DeletionPolicyRevoke:
		message += " Its tokens are not revoked: revoke the App's authorization at GitHub."
	}
	return &problem.Problem{Reason: v1alpha1.ReasonContested, Stalled: true, Message: message}
}
