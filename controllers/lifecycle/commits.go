package lifecycle

import (
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// quietRetries is how many tries of a write may fail before the status tells of it, where the API server has not refused
// it: a conflict passes, and in an outage no status can be written either.
const quietRetries = 4

// commits tell of what could not be written yet after an exchange.
type commits struct {
	notes    notes
	reporter Reporter
	// standAside gives up the place of the exchange: it may wait for long, and has made its request.
	standAside func(types.UID)
	wake       func(types.NamespacedName)
}

// retried is told by the Rotator that something could not be written yet.
func (c commits) retried(owner rotation.Owner, what rotation.Unwritten, err error) {
	c.reporter.CommitRetried()
	c.standAside(types.UID(owner.UID))
	retries := 0
	c.notes.With(types.UID(owner.UID), func(m *note) {
		m.retries++
		retries = m.retries
	})
	refused := errors.Is(err, rotation.ErrDenied) || errors.Is(err, rotation.ErrNotOwned) || errors.Is(err, rotation.ErrTerminating) || errors.Is(err, rotation.ErrAltered)
	if !refused && retries < quietRetries {
		return
	}
	said := err.Error() + "."
	if errors.Is(err, rotation.ErrAltered) {
		said = words.Altered(err)
	}
	if message := words.Unstored(what, said); message != "" { // A verdict is told when it is given up, in a moment.
		c.report(owner, message)
	}
}

// report has the status tell why what an exchange has brought is not stored yet.
func (c commits) report(owner rotation.Owner, message string) {
	c.notes.With(types.UID(owner.UID), func(m *note) {
		m.committing = &problem.Problem{Reason: v1alpha1.ReasonCommitting, Message: message}
	})
	c.wake(types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
}
