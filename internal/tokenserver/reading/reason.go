package reading

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
)

// Reason is why something could not be read, or the API server could not be asked, in a word. The sentences of errors quote what was sent.
type Reason string

// Reasons that are not the API server's own.
const (
	// Busy: too much is read at once. It is this process that does not read it.
	Busy Reason = "Busy"
	// TooLarge: an object is larger than what is read of any. Asking again does not help.
	TooLarge Reason = "TooLarge"
	// Failed: it is a fault of this process.
	Failed     Reason = "Failed"
	slow       Reason = "Slow"
	timeout    Reason = "Timeout"
	canceled   Reason = "Canceled"
	notReached Reason = "NotReached"
)

// ReasonOf is the reason of an error.
func ReasonOf(err error) Reason {
	var known *apiError
	switch reason := apierrors.ReasonForError(err); {
	case errors.As(err, &known):
		return known.reason
	case errors.Is(err, ErrBusy):
		return Busy
	case errors.Is(err, boundedreply.ErrTooLarge):
		return TooLarge
	case errors.Is(err, errPanicked):
		return Failed
	case errors.Is(err, errSlow):
		return slow
	case reason != "":
		return Reason(reason)
	case errors.Is(err, context.DeadlineExceeded):
		return timeout
	case errors.Is(err, context.Canceled):
		return canceled
	default:
		return notReached
	}
}

// apiError is that the API server did not do what it was asked to, with its reason in a word. Its own sentences are not passed on.
type apiError struct {
	did    string
	reason Reason
}

func (e *apiError) Error() string {
	return fmt.Sprintf("%s: the API server did not: %s", e.did, e.reason)
}

// notFoundOr is nil where what was looked for is not there.
func notFoundOr(did string, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return &apiError{did, ReasonOf(err)}
}
