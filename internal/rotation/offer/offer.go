// Package offer begins attempts to log in by the web flow. No token is spent, and GitHub is not asked.
package offer

import (
	"context"
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// Verifiers keeps the verifiers of attempts, each in a Secret of its own, which belongs to the resource.
type Verifiers interface {
	// KeepVerifier stores a verifier of a resource. Errors: those of rotation.Store.Create, and rotation.ErrAltered.
	KeepVerifier(ctx context.Context, owner rotation.Owner, verifier credential.CodeVerifier) error
	// Verifier reads the verifier of a name. Errors: rotation.ErrNotFound, or unknown.
	Verifier(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.CodeVerifier, error)
}

// Offers stores attempts.
type Offers struct {
	Store     rotation.Store
	Verifiers Verifiers
	Clock     rotation.Clock
}

// Begin stores an attempt before anybody is shown its page, so that it survives this process: the verifier in a Secret of its
// own, and then, in the pair Secret, the rest of it, which names the verifier. The pair Secret is made if there is none. Otherwise
// it must still be as the job knows it, which keeps two replicas from showing two pages. An attempt that is not stored costs
// nothing: nobody has seen it, and its verifier is removed. Errors: those of Verifiers.KeepVerifier, rotation.Store.Create and
// rotation.Store.Update.
func (o Offers) Begin(ctx context.Context, job rotation.Job, attempt weblogin.Attempt, verifier credential.CodeVerifier) (*rotation.Pair, error) {
	writing, cancel := o.Clock.WithTimeout(ctx, rotation.FenceTimeout)
	defer cancel()
	if err := o.keep(writing, job.Owner, verifier); err != nil {
		return nil, err
	}
	var stored *rotation.Pair
	var err error
	if job.Pair == nil {
		stored, err = o.Store.Create(writing, with(&rotation.Pair{
			Ref: job.Ref, Owner: job.Owner, Labels: job.Labels, Annotations: job.Annotations,
			State: rotation.State{Owner: job.Owner.UID, OwnerName: job.Owner.Name},
		}, job, attempt))
	} else {
		stored, err = o.Store.Update(writing, job.Pair, with(job.Pair.Clone(), job, attempt))
	}
	if err == nil || rotation.LeftNothing(err) {
		return stored, err
	}
	// The write may have been applied although its reply was lost: look, and do not write again.
	live, readErr := o.Store.Get(ctx, job.Ref)
	if readErr != nil || live.State.Web == nil || live.State.Web.ID != attempt.ID {
		return nil, fmt.Errorf("store the attempt to log in: %w", err)
	}
	return live, nil
}

// keep stores a verifier. A write that may have been applied although its reply was lost is read back.
func (o Offers) keep(ctx context.Context, owner rotation.Owner, verifier credential.CodeVerifier) error {
	err := o.Verifiers.KeepVerifier(ctx, owner, verifier)
	if err == nil || errors.Is(err, rotation.ErrAltered) || rotation.LeftNothing(err) {
		return err
	}
	if _, readErr := o.Verifiers.Verifier(ctx, owner, verifier.Fingerprint()); readErr != nil {
		return fmt.Errorf("store the verifier of a login: %w", err)
	}
	return nil
}

func with(next *rotation.Pair, job rotation.Job, attempt weblogin.Attempt) *rotation.Pair {
	next.State.Web = &attempt
	if !next.State.HasToken() && next.State.RefreshToken == "" {
		next.State.App = job.App.Key()
	}
	return next
}
