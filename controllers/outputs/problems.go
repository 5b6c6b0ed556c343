package outputs

import (
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// errNotOwned: a Secret of the output's name belongs to somebody else.
var errNotOwned = errors.New("the Secret belongs to somebody else")

// renderError: the output cannot be rendered as its spec asks.
type renderError struct{ error }

func (e *renderError) Unwrap() error { return e.error }

// problemOf puts the failure of an output into words; nil when there is none, or none that anybody could
// mend here: without a token there is nothing to write.
func problemOf(spec v1alpha1.Output, err error) *problem.Problem {
	var refused *scrubbedError
	var unrenderable *renderError
	switch {
	case err == nil, errors.Is(err, format.ErrNoToken):
		return nil
	case errors.Is(err, errNotOwned):
		return &problem.Problem{
			Reason: v1alpha1.ReasonOutputNotOwned, Aside: true, Stalled: true,
			Message: fmt.Sprintf("Secret %q exists and belongs to somebody else, so the output of that name is not written. Delete it, or choose another name in spec.outputs. The token itself is refreshed.", spec.Name),
		}
	case errors.As(err, &unrenderable):
		return &problem.Problem{
			Reason: v1alpha1.ReasonOutputInvalid, Aside: true, Stalled: true,
			Message: words.Sentence(err.Error()) + " The token itself is refreshed.",
		}
	case errors.As(err, &refused) && refused.terminating:
		return &problem.Problem{
			Reason: v1alpha1.ReasonNamespaceTerminating, Aside: true,
			Message: "The namespace is being deleted; no output is written.",
		}
	case errors.As(err, &refused) && refused.isContested():
		return &problem.Problem{
			Reason: v1alpha1.ReasonContested, Aside: true, Transient: true,
			Message: fmt.Sprintf("Output %q could not be written: somebody else changes it all the time (%s). Have that stopped, or have it write to a Secret of its own. The token itself is refreshed.", spec.Name, err),
		}
	default:
		isRefused := refused != nil && refused.refused()
		what := "It is tried again."
		if isRefused {
			what = "Change what refuses it, or the output."
		}
		return &problem.Problem{
			Reason: v1alpha1.ReasonOutputNotWritten, Aside: true, Transient: !isRefused,
			Message: fmt.Sprintf("Output %q could not be written: %s. %s The token itself is refreshed.", spec.Name, err, what),
		}
	}
}

// notRemoved is the problem of an output that the spec no longer asks for and that could not be removed.
func notRemoved(name string, err error) *problem.Problem {
	var refused *scrubbedError
	what := "It is tried again, or delete the Secret yourself."
	if errors.As(err, &refused) && refused.refused() {
		what = "Change what refuses it, or delete the Secret yourself."
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonOutputNotRemoved, Aside: true,
		Message: fmt.Sprintf("Output %q, which spec.outputs does not ask for any more, could not be removed, and still holds a token: %s. %s The token itself is refreshed.", name, err, what),
	}
}
