package handoff

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// apiError is an error of the API server in words that hold no secret: an admission policy may quote what it
// has seen.
type apiError struct {
	text      string
	forbidden bool
}

func scrubbed(err error) error {
	return &apiError{credential.Scrub(err.Error()), apierrors.IsForbidden(err)}
}

func (e *apiError) Error() string { return e.text }

// isByAdmission reports whether an answer is an admission webhook's. It may have any code, that of an object which does not
// exist among them, and there may be no permission to look. But the API server puts these words before the webhook's own.
func isByAdmission(err error) bool {
	var answer apierrors.APIStatus
	return errors.As(err, &answer) && strings.HasPrefix(answer.Status().Message, "admission webhook ")
}

// isForbidden reports whether the API server, or a policy in it, has refused what was asked.
func isForbidden(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && refused.forbidden
}
