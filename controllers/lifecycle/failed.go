package lifecycle

import (
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// failed is the result of an action whose write, or read, the API server refused or did not answer, or which waits. It is
// remembered, reported and tried again, later each time.
func (n notes) failed(s *scope.Scope, err error, what string) Result {
	p := problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Message: what + ": " + words.Of(err) + "."}
	wait := waitAfter(err)
	switch {
	case isPaced(err):
		p.Reason = v1alpha1.ReasonSecretReadsLimited
	case errors.Is(err, rotation.ErrAltered):
		p = *words.AlteredByAdmission(what, err)
	case errors.Is(err, rotation.ErrTerminating):
		p = *words.Terminating()
		p.Stalled = true
	case errors.Is(err, rotation.ErrDenied):
		p.Message += " Change what refuses it, such as a quota, an admission policy or missing rights."
	case isPassing(err):
		// The cache lags behind: the next event brings what is new.
		n.doubt(s.Token.UID)
		p = problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The pair Secret is being changed by somebody else."}
		wait = backoff.Backoff{First: retry.Conflict, Max: retry.Max}
	}
	return blocked(n.fail(s.Token, p, wait))
}

// failedOfApp is failed where it was about the App: what is wrong with that may be nobody's business who made the resource.
func (n notes) failedOfApp(s *scope.Scope, err error, what string) Result {
	if !s.App.Veiled {
		return n.failed(s, err, what)
	}
	p := problem.Problem{Reason: v1alpha1.ReasonAppNotUsable, Message: scope.AppNotUsableYet}
	return n.failedWith(s, p, waitAfter(err))
}

// waitAfter is retry.After, and for a read that waits it is when there is room.
func waitAfter(err error) backoff.Backoff {
	if paced, ok := errors.AsType[*seeds.PacedError](err); ok {
		return paced.Backoff()
	}
	return retry.After(err)
}

// unreadFor is for how long a seed that could not be read is left alone.
func (n notes) unreadFor(uid types.UID, err error) (wait time.Duration) {
	paced, ok := errors.AsType[*seeds.PacedError](err)
	if !ok {
		return retry.RefusedMax
	}
	n.With(uid, func(m *note) {
		m.paced++
		wait = paced.Backoff().After(m.paced)
	})
	return wait
}

// isPaced reports whether a read of a Secret waits.
func isPaced(err error) bool {
	_, ok := errors.AsType[*seeds.PacedError](err)
	return ok
}

// failedWith is failed with a problem of its own.
func (n notes) failedWith(s *scope.Scope, p problem.Problem, wait backoff.Backoff) Result {
	return blocked(n.fail(s.Token, p, wait))
}

// isPassing reports whether a write has merely met something newer than this process knew.
func isPassing(err error) bool {
	return errors.Is(err, rotation.ErrConflict) || errors.Is(err, rotation.ErrNotFound) || errors.Is(err, rotation.ErrExists)
}
