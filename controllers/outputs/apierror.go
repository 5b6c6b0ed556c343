package outputs

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// scrubbed is an error of the API server without what it was sent: an admission webhook may quote it, whole
// or in part. The kind of the error is kept.
func scrubbed(err error, data map[string][]byte) error {
	var known []string
	for _, value := range data {
		known = append(known, string(value))
	}
	return &scrubbedError{credential.Scrub(err.Error(), known...), apierrors.ReasonForError(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)}
}

// scrubbedError is an error of the API server in words that hold no secret.
type scrubbedError struct {
	text        string
	reason      metav1.StatusReason
	terminating bool
}

func (e *scrubbedError) Error() string { return e.text }

// refused reports whether the API server has looked at the request and does not want it.
func (e *scrubbedError) refused() bool {
	switch e.reason {
	case metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonBadRequest, metav1.StatusReasonUnauthorized,
		metav1.StatusReasonRequestEntityTooLarge, metav1.StatusReasonMethodNotAllowed, metav1.StatusReasonNotAcceptable:
		return true
	default:
		return false
	}
}

func isImmutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable")
}
