package lifecycle

import (
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// commits tell of received pairs that are not stored yet.
type commits struct {
	notes    notes
	reporter Reporter
	// standAside gives up the place of the exchange that is committed: it may wait for long, and has made its request.
	standAside func(types.UID)
	wake       func(types.NamespacedName)
}

// retried is told by the Rotator that a received pair could not be stored yet.
func (c commits) retried(owner rotation.Owner, err error) {
	c.reporter.CommitRetried()
	c.standAside(types.UID(owner.UID))
	if errors.Is(err, rotation.ErrAltered) {
		c.report(owner, "A new pair has been received and is kept safe, but is not stored as it is: "+words.Altered(err)+" It is tried again every few seconds.")
		return
	}
	if !errors.Is(err, rotation.ErrDenied) && !errors.Is(err, rotation.ErrNotOwned) {
		return
	}
	c.report(owner, "A new pair has been received and is kept safe, but the API server does not store it: "+err.Error()+". It is tried again every few seconds.")
}

// report has the status tell why a received pair is not stored yet.
func (c commits) report(owner rotation.Owner, message string) {
	c.notes.With(types.UID(owner.UID), func(m *note) {
		m.committing = &problem.Problem{Reason: v1alpha1.ReasonCommitting, Message: message}
	})
	c.wake(types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name})
}
