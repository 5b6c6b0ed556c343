package handoff

import (
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// ForbiddenError: the operator lacks a permission that a handoff needs.
type ForbiddenError struct{ Verb, Resource, Namespace string }

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("the operator may not %s %s in namespace %s", e.Verb, e.Resource, e.Namespace)
}

// invalidWorkloadError: spec.handoff.restart has what can be no workload.
type invalidWorkloadError struct {
	kind, name string
	// why ends the sentence: errInvalidName, errUnknownKind or errOtherGroup.
	why error
}

var (
	errInvalidName = errors.New("no workload can have that name")
	errUnknownKind = errors.New("this version of the operator cannot restart that kind")
	errOtherGroup  = errors.New("this version of the operator cannot restart that kind of that apiGroup")
)

func (e *invalidWorkloadError) Error() string {
	return fmt.Sprintf("spec.handoff.restart names a %s %q, and %s", e.kind, e.name, e.why)
}

func (e *invalidWorkloadError) Unwrap() error { return e.why }

// ProblemOf is the problem of a handoff that ended in an error. It stands in the way of no exchange.
func ProblemOf(err error) problem.Problem {
	found := problem.Problem{
		Reason: v1alpha1.ReasonHandoffIncomplete, Aside: true,
		Message: "Not every workload was notified of the new token: " + err.Error() + ".",
	}
	var forbidden *ForbiddenError
	var invalid *invalidWorkloadError
	switch {
	case errors.As(err, &forbidden):
		found.Reason, found.Stalled = v1alpha1.ReasonHandoffForbidden, true
		found.Message = words.Sentence(forbidden.Error()) + " Install config/components/handoff, which binds the ClusterRole github-user-token-operator-handoff, or in a namespaced install its Role in this namespace. The token itself is refreshed."
	case errors.As(err, &invalid):
		found.Stalled = true
		found.Message = words.Sentence(invalid.Error()) + " Correct it. The token itself is refreshed."
	}
	return found
}

// worst is the error that is reported of several, with how many others there are; nil when there is none. A lack of
// permission goes before all else and stands alone, as it is mended in one go. After it goes what somebody must
// correct, and then what is tried again. Among equals the order of the arguments decides.
func worst(errs ...error) error {
	rank := func(err error) int {
		var forbidden *ForbiddenError
		var invalid *invalidWorkloadError
		switch {
		case errors.As(err, &forbidden):
			return 0
		case errors.As(err, &invalid):
			return 1
		default:
			return 2
		}
	}
	var first error
	count := 0
	for _, err := range errs {
		if err == nil {
			continue
		}
		if several, ok := errors.AsType[*severalError](err); ok {
			count += several.more
			err = several.first
		}
		count++
		if first == nil || rank(err) < rank(first) {
			first = err
		}
	}
	if first == nil || rank(first) == 0 || count == 1 {
		return first
	}
	return &severalError{first, count - 1}
}

// severalError is one error that stands for several.
type severalError struct {
	first error
	more  int
}

func (e *severalError) Error() string { return fmt.Sprintf("%s (and %d more)", e.first, e.more) }

func (e *severalError) Unwrap() error { return e.first }
