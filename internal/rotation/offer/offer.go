// Package offer stores what a person is to be shown: device codes, and attempts to log in by the web flow. No token is spent.
package offer

import (
	"context"
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// Codes keeps device codes, each in a Secret of its own, which belongs to the resource: the pair Secret is mounted, and its
// data change with the pair alone.
type Codes interface {
	rotation.Codes

	// KeepCode stores a device code of a resource. Errors: those of rotation.Store.Create, and rotation.ErrAltered.
	KeepCode(ctx context.Context, owner rotation.Owner, code credential.DeviceCode) error
}

// Verifiers keeps the verifiers of attempts, each in a Secret of its own as well.
type Verifiers interface {
	// KeepVerifier stores a verifier of a resource. Errors: those of rotation.Store.Create, and rotation.ErrAltered.
	KeepVerifier(ctx context.Context, owner rotation.Owner, verifier credential.CodeVerifier) error
	// Verifier reads the verifier of a name. Errors: rotation.ErrNotFound, or unknown.
	Verifier(ctx context.Context, owner rotation.Owner, name credential.Fingerprint) (credential.CodeVerifier, error)
}

// Secrets keeps all that is secret of a login.
type Secrets interface {
	Codes
	Verifiers
}

// Offers stores what is shown, so that it survives this process, before anybody is shown it: what is secret in a Secret of its own,
// and then, in the pair Secret, the rest, which names it. The pair Secret is made if there is none. Otherwise it must still
// be as the job knows it, which keeps two replicas from showing two codes. What is not stored costs nothing: nobody has
// seen it, and its Secret is removed.
type Offers struct {
	Store   rotation.Store
	Secrets Secrets
	Clock   rotation.Clock
}

// Offer stores a device authorization. Errors: those of Codes.KeepCode, rotation.Store.Create and rotation.Store.Update.
func (o Offers) Offer(ctx context.Context, job rotation.Job, offer rotation.DeviceAuthorization, code credential.DeviceCode) (*rotation.Pair, error) {
	return o.store(ctx, job, secret{
		keep: func(ctx context.Context) error { return o.Secrets.KeepCode(ctx, job.Owner, code) },
		read: func(ctx context.Context) error {
			_, err := o.Secrets.Code(ctx, job.Owner, code.Fingerprint())
			return err
		},
	}, func(state *rotation.State) { state.Device = &offer }, func(state *rotation.State) bool {
		return state.Device != nil && state.Device.DeviceCode == offer.DeviceCode
	})
}

// Begin stores an attempt to log in by the web flow. Errors: those of Verifiers.KeepVerifier, rotation.Store.Create and
// rotation.Store.Update.
func (o Offers) Begin(ctx context.Context, job rotation.Job, attempt weblogin.Attempt, verifier credential.CodeVerifier) (*rotation.Pair, error) {
	return o.store(ctx, job, secret{
		keep: func(ctx context.Context) error { return o.Secrets.KeepVerifier(ctx, job.Owner, verifier) },
		read: func(ctx context.Context) error {
			_, err := o.Secrets.Verifier(ctx, job.Owner, verifier.Fingerprint())
			return err
		},
	}, func(state *rotation.State) { state.Web = attempt.After(state.Web) }, func(state *rotation.State) bool {
		return state.Web != nil && state.Web.ID == attempt.ID
	})
}

// secret is what is kept in a Secret of its own.
type secret struct{ keep, read func(context.Context) error }

// store stores the secret, and then what names it. set puts that into a state, and has says whether it is there.
func (o Offers) store(ctx context.Context, job rotation.Job, secret secret, set func(*rotation.State), has func(*rotation.State) bool) (*rotation.Pair, error) {
	writing, cancel := o.Clock.WithTimeout(ctx, rotation.FenceTimeout)
	defer cancel()
	if err := secret.store(writing); err != nil {
		return nil, err
	}
	next := &rotation.Pair{
		Ref: job.Ref, Owner: job.Owner, Labels: job.Labels, Annotations: job.Annotations,
		State: rotation.State{Owner: job.Owner.UID, OwnerName: job.Owner.Name},
	}
	if job.Pair != nil {
		next = job.Pair.Clone()
	}
	set(&next.State)
	if !next.State.HasToken() && next.State.RefreshToken == "" {
		next.State.App = job.App.Key()
	}
	var stored *rotation.Pair
	var err error
	if job.Pair == nil {
		stored, err = o.Store.Create(writing, next)
	} else {
		stored, err = o.Store.Update(writing, job.Pair, next)
	}
	if err == nil || leftNothing(err) {
		return stored, err
	}
	// The write may have been applied although its reply was lost: look, and do not write again.
	live, readErr := o.Store.Get(ctx, job.Ref)
	if readErr != nil || !has(&live.State) {
		return nil, fmt.Errorf("store what a person is to be shown: %w", err)
	}
	return live, nil
}

// store stores the secret. A write that may have been applied although its reply was lost is read back.
func (s secret) store(ctx context.Context) error {
	err := s.keep(ctx)
	if err == nil || errors.Is(err, rotation.ErrAltered) || leftNothing(err) && !errors.Is(err, rotation.ErrExists) {
		return err
	}
	if readErr := s.read(ctx); readErr != nil {
		return fmt.Errorf("store what is secret of a login: %w", err)
	}
	return nil
}

// leftNothing reports whether an error of a Store means that nothing was written.
func leftNothing(err error) bool {
	for _, known := range []error{
		rotation.ErrNotFound, rotation.ErrConflict, rotation.ErrExists, rotation.ErrImmutable, rotation.ErrNotOwned, rotation.ErrTerminating,
		rotation.ErrOwnerGone, rotation.ErrDenied,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
