package outputs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// scrubbed is an error of the API server without what it was sent: an admission webhook may quote it, whole
// or in part. The kind of the error is kept. The pair is the one that the output was rendered from.
func scrubbed(err error, pair *rotation.Pair, data map[string][]byte) error {
	known := scope.SecretsOf(pair)
	for _, value := range data {
		known = append(known, string(value))
	}
	return newScrubbedError(err, credential.Scrub(err.Error(), known...))
}

// scrubbedMetadata is scrubbed for a write that sent no data: a webhook has seen the Secret with its data all the
// same. When it cannot be found out what that is, nothing is quoted but the kind of the error.
func (o *Outputs) scrubbedMetadata(ctx context.Context, token *v1alpha1.GitHubUserToken, name string, err error) error {
	if apierrors.IsConflict(err) {
		return scrubbed(err, nil, nil) // The API server's own words.
	}
	pair, pairErr := o.options.Store.Get(ctx, scope.PairRefOf(token))
	var secret corev1.Secret
	secretErr := o.options.Live.Get(ctx, client.ObjectKey{Namespace: token.Namespace, Name: name}, &secret)
	if pairErr != nil && !errors.Is(pairErr, rotation.ErrNotFound) || client.IgnoreNotFound(secretErr) != nil {
		return newScrubbedError(err, fmt.Sprintf("the API server refuses it (%s)", cmp.Or(apierrors.ReasonForError(err), "Unknown")))
	}
	return scrubbed(err, pair, secret.Data)
}

func newScrubbedError(err error, text string) error {
	return &scrubbedError{text, apierrors.ReasonForError(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)}
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

// isContested reports whether somebody else has been faster at each try.
func (e *scrubbedError) isContested() bool {
	return e.reason == metav1.StatusReasonConflict || e.reason == metav1.StatusReasonAlreadyExists
}

func isImmutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable")
}
