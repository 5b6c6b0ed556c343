package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/leftovers"
	"github.com/githubusertoken/github-user-token-operator/controllers/registry"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// finalizer deals with resources that are being deleted: it holds each until its deletionPolicy is carried out.
type finalizer struct {
	api interface {
		pairReader
		resourceReader
		// Locate and Remove are those of rotation.Store.
		Locate(ctx context.Context, owner rotation.Owner) ([]rotation.Ref, error)
		Remove(ctx context.Context, pair *rotation.Pair) error
		// Gone is that of rotation.Store.
		Gone(ctx context.Context, owner rotation.Owner) (bool, error)
		// Try, Release and RemoveFinalizer are those of API.
		Try(ctx context.Context, current, next *rotation.Pair) (*rotation.Pair, error)
		Release(ctx context.Context, pair *rotation.Pair) (*rotation.Pair, error)
		RemoveFinalizer(ctx context.Context, token *v1alpha1.GitHubUserToken) error
	}
	observer  *observer
	exchanges *exchanges
	rotator   *rotation.Rotator
	revoker   *revocation.Revoker
	registry  *registry.Registry
	deletions apps.Deletions
	reporter  interface {
		// Report, ReportUnknown, ReportReleased and RemoveOutputs are those of Reporter.
		Report(ctx context.Context, s *scope.Scope, decision rotation.Decision, result Result) (requeueAt time.Time, err error)
		ReportUnknown(ctx context.Context, token *v1alpha1.GitHubUserToken, p *problem.Problem) error
		ReportReleased(ctx context.Context, token *v1alpha1.GitHubUserToken) (again time.Duration, err error)
		RemoveOutputs(ctx context.Context, token *v1alpha1.GitHubUserToken) (again time.Duration, err error)
	}
	clock rotation.Clock
	notes notes
	codes leftovers.Codes
}

// finalize carries out the deletionPolicy and releases the resource. It returns when to come back; zero when
// the resource may go, or when an event will bring us back. What keeps it from being released is told, and tried again.
func (f *finalizer) finalize(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	if scope.IsReleased(token) {
		return f.leave(ctx, token)
	}
	again, err := f.carryOut(ctx, token)
	if err == nil || isPassing(err) || !f.isWorthTelling(token, err) {
		return again, err
	}
	again, tellErr := f.hold(ctx, token, err)
	if tellErr != nil {
		return 0, errors.Join(err, tellErr)
	}
	return again, nil
}

// isWorthTelling reports whether what keeps a resource from being released is more than one answer that did not arrive.
func (f *finalizer) isWorthTelling(token *v1alpha1.GitHubUserToken, err error) bool {
	if errors.Is(err, rotation.ErrDenied) || errors.Is(err, rotation.ErrAltered) {
		return true
	}
	failures := 0
	f.notes.With(token.UID, func(m *note) { m.unreleased++; failures = m.unreleased })
	return failures > quietFailures
}

// quietFailures is how many tries to release a resource may fail before the status tells of it.
const quietFailures = 2

// carryOut is finalize without the telling.
func (f *finalizer) carryOut(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRetain && f.registry.Released.Has(token.UID) {
		f.registry.Forget(token.UID)
		return 0, nil
	}
	pairs, chains, err := f.observer.chainsOf(ctx, token)
	if err != nil {
		return 0, err
	}
	if deleted := revokerequest.Deletion(token, pairs); deleted != token {
		token = deleted // What is asked for in the name of an account goes before the policies of Apps as well.
	} else if token, err = f.deletions.Permitted(ctx, token, chains); err != nil {
		return 0, err
	}
	if token.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke {
		step, err := f.revoker.Advance(ctx, token, func(ctx context.Context) (time.Duration, error) { return f.settleFirst(ctx, token) })
		if err != nil || !step.Done {
			return max(step.RequeueAt.Sub(f.clock.Now()), time.Millisecond), err
		}
	}
	if wait := f.heldFor(token); wait > 0 {
		return wait, nil // What admission has altered would only bring us back at once.
	}
	if again, err := f.reporter.RemoveOutputs(ctx, token); err != nil || again > 0 {
		return again, err
	}
	if err := f.release(ctx, token); err != nil {
		return 0, err
	}
	f.registry.Released.Add(token.UID)
	f.registry.Forget(token.UID)
	return 0, nil
}

// release removes or retains the Secrets of a resource, and then lets the resource go.
func (f *finalizer) release(ctx context.Context, token *v1alpha1.GitHubUserToken) error {
	refs, err := f.observer.secretsOf(ctx, token)
	if err != nil {
		return err
	}
	retain, err := f.putBackToRetain(ctx, token, refs)
	if err != nil {
		return err
	}
	if retain {
		others, err := f.locateOthers(ctx, token, refs)
		if err != nil {
			return err
		}
		refs = append(refs, others...)
		left, err := f.leftBehind(ctx, token, refs)
		if err != nil {
			return err
		}
		refs = append(refs, left...)
	}
	if err := f.codes.RemoveAll(ctx, scope.OwnerOf(token)); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := f.releaseSecret(ctx, token, ref, retain); err != nil {
			return err
		}
	}
	return f.api.RemoveFinalizer(ctx, token)
}

// hold keeps a resource that could not be released, and has its status say why. It returns when to come back.
func (f *finalizer) hold(ctx context.Context, token *v1alpha1.GitHubUserToken, cause error) (time.Duration, error) {
	p, wait := words.Unreleased(cause), backoff.Backoff{First: firstHold, Max: retry.RefusedMax}
	switch {
	case errors.Is(cause, rotation.ErrBackupNotOwned):
		p = words.BackupNotOwned(scope.OwnerOf(token).BackupRef().Name)
	case errors.Is(cause, ErrFinalizerAltered):
		p, wait = words.FinalizerAltered("The resource is being deleted and cannot be released yet", cause), retry.After(cause)
	case errors.Is(cause, rotation.ErrAltered):
		p, wait = words.AlteredByAdmission("The resource is being deleted and cannot be released yet", cause), retry.After(cause)
	}
	f.notes.With(token.UID, func(m *note) {
		m.held = f.notes.again(m.held, token, *p, wait)
		p = m.held.current(f.clock.Now(), f.clock.Monotonic())
	})
	s, err := f.observer.observe(ctx, token)
	if err != nil {
		return f.again(token), f.reporter.ReportUnknown(ctx, token, p)
	}
	if _, err := f.reporter.Report(ctx, s, rotation.Decision{}, blocked(p)); err != nil {
		return 0, err
	}
	return f.again(token), nil
}

// again is when to come back to a resource that could not be released: at once where the wait has passed while that was told.
func (f *finalizer) again(token *v1alpha1.GitHubUserToken) time.Duration {
	return max(f.heldFor(token), time.Millisecond)
}

// firstHold is the first wait of a resource that could not be released.
const firstHold = 200 * time.Millisecond

// heldFor is for how long a resource is held after it could not be released. Somebody who has changed its spec, or asks for
// it by annotation, has it tried at once.
func (f *finalizer) heldFor(token *v1alpha1.GitHubUserToken) (wait time.Duration) {
	now, mono := f.clock.Now(), f.clock.Monotonic()
	f.notes.Peek(token.UID, func(m *note) {
		if m.held != nil && m.held.generation == token.Generation && m.held.requested == scope.RequestOf(token) {
			wait = max(0, m.held.retry.At(now, mono).Sub(now))
		}
	})
	return wait
}

// settleFirst finds out about an exchange of unknown outcome before a pair is revoked: it may have brought
// tokens that would live on. It returns when to come back; zero when there is nothing to find out.
func (f *finalizer) settleFirst(ctx context.Context, token *v1alpha1.GitHubUserToken) (time.Duration, error) {
	s, err := f.observer.observe(ctx, token)
	if err != nil {
		return 0, err
	}
	if s.Pair == nil || s.Pair.Intent == nil || !s.Pair.Controlled {
		return 0, nil
	}
	decision := rules.Decide(s.Input)
	if decision.Rule == rules.Revocation && f.revoker.HasRevoked(token.UID, &s.Pair.State) {
		decision = rules.AfterRevocation(s.Input) // The login is at its end. What is left is the import of another.
	}
	switch {
	case decision.Action == rotation.ActionWait:
		return max(decision.At.Sub(s.Now), 100*time.Millisecond), nil
	case decision.Action != rotation.ActionResolve:
		return 0, nil
	}
	switch result := f.exchanges.begin(ctx, s, decision); {
	case result.State == Started:
		return time.Minute, nil // Its end has the resource reconciled before.
	case result.Problem.Stalled:
		return 0, nil // It cannot be found out; what is known of the pair is revoked.
	default:
		return time.Second, nil
	}
}

// putBackToRetain sees to it that a pair which is to be retained does not go with a Secret that was deleted just before, or that was just
// being replaced. What cannot be put back in its place is retained where it is. It reports whether the pair is to be retained and can be.
func (f *finalizer) putBackToRetain(ctx context.Context, token *v1alpha1.GitHubUserToken, refs []rotation.Ref) (bool, error) {
	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRetain {
		return false, nil
	}
	owner := scope.OwnerOf(token)
	for _, ref := range refs {
		if ref == owner.BackupRef() {
			continue
		}
		_, err := f.rotator.Restore(ctx, owner, ref)
		switch {
		case errors.Is(err, rotation.ErrBackupNotOwned):
			if in, lookErr := leftovers.IsInTheWay(ctx, owner, ref, f.api.Get); in || lookErr != nil {
				return false, fmt.Errorf("put the pair back before it is retained: %w", errors.Join(err, lookErr))
			}
		case err == nil, errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrNotOwned):
		case errors.Is(err, rotation.ErrOwnerGone):
			return false, nil
		default:
			if gone, lookErr := f.api.Gone(ctx, owner); gone && lookErr == nil {
				return false, nil // What the API server answers to a write an admission webhook may say as well.
			}
			return false, fmt.Errorf("put the pair back before it is retained: %w", err)
		}
	}
	return true, nil
}

// locateOthers finds the pair under names that the cache does not show: it may have been moved, or put back under a
// former name, a moment ago. It is called after the backup was looked at, because whoever replaces a Secret removes the
// backup last: the pair is in the one or in the other. What it finds is put back like the rest.
func (f *finalizer) locateOthers(ctx context.Context, token *v1alpha1.GitHubUserToken, known []rotation.Ref) ([]rotation.Ref, error) {
	located, err := f.api.Locate(ctx, scope.OwnerOf(token))
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(located, func(ref rotation.Ref) bool { return slices.Contains(known, ref) })
	_, err = f.putBackToRetain(ctx, token, others)
	return others, err
}

// releaseSecret removes or retains one Secret of a resource that is being deleted. It looks at it live: the
// last write may not be in the cache yet.
func (f *finalizer) releaseSecret(ctx context.Context, token *v1alpha1.GitHubUserToken, ref rotation.Ref, retain bool) error {
	pair, err := f.api.Get(ctx, ref)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the pair before it is released: %w", err)
	}
	if next := f.amiss(token.UID, pair); next != nil {
		pair.State = rotation.State{} // What is stored is not what was written, so all of it is.
		return f.letGo(ctx, token, pair, next)
	}
	if leftovers.IsLeft(pair, token.Name) {
		return f.unprotect(ctx, token.UID, pair)
	}
	if !pair.GoesWith(string(token.UID)) {
		return nil
	}
	if token.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRevoke && revokerequest.IsToEnd(token, pair) {
		return fmt.Errorf("the end of the login in Secret %s was asked for a moment ago; it is revoked before the resource is released", ref.Name)
	}
	if err := f.codes.RemoveNamed(ctx, scope.OwnerOf(token), &pair.State); err != nil {
		return err
	}
	switch {
	case retain && pair.Deleting && ref != scope.OwnerOf(token).BackupRef():
		return fmt.Errorf("secret %s was deleted a moment ago; it is put back before it is retained", ref.Name)
	case retain && ref == scope.OwnerOf(token).BackupRef():
		if retain, err = f.isOnlyCopy(ctx, token); err != nil {
			return err
		}
	}
	if retain && !pair.Deleting {
		return f.letGo(ctx, token, pair, pair.AsRetained())
	}
	if token.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRevoke && !f.revoker.Covers(token, pair) {
		return fmt.Errorf("secret %s holds a pair that was stored a moment ago; it is revoked before it is removed", ref.Name)
	}
	return f.api.Remove(ctx, pair)
}

// isOnlyCopy reports whether the backup is all there is of a pair: somebody else's Secret has taken its place.
func (f *finalizer) isOnlyCopy(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
	pair, err := f.api.Get(ctx, scope.PairRefOf(token))
	if errors.Is(err, rotation.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether the backup is the only copy of the pair: %w", err)
	}
	return pair.State.Owner != string(token.UID), nil
}
