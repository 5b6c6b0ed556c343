package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// pairActions are those that write the pair Secret and spend no token.
type pairActions struct {
	rotator   *rotation.Rotator
	resources resourceReader
	seeds     *seeds.Reader
	notes     notes
	logins    *webflow.Logins
	// isOutput is that of Reporter.
	isOutput func(context.Context, *v1alpha1.GitHubUserToken, rotation.Ref) bool
}

// restore puts the pair back after its Secret was deleted. Nothing is exchanged.
func (a *pairActions) restore(ctx context.Context, s *scope.Scope) Result {
	restored, err := a.rotator.Restore(ctx, s.Owner, s.Ref)
	switch {
	case err == nil:
		a.notes.With(s.Token.UID, func(m *note) { m.backupGone, m.restoreBlocked = s.BackupUID, nil })
		return a.changed(s, restored)
	case errors.Is(err, rotation.ErrBackupNotOwned):
		return a.notes.failedWith(s, *words.BackupNotOwned(s.Owner.BackupRef().Name), backoff.Backoff{First: time.Second, Max: retry.Max})
	case errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrExists):
		return a.notes.failedWith(s, *words.NotOwned(s.Ref.Name), backoff.Backoff{First: time.Second, Max: retry.Max})
	case errors.Is(err, rotation.ErrDenied) && s.Pair != nil && s.Pair.Deleting && !s.Input.Backup:
		p := problem.Problem{
			Reason: v1alpha1.ReasonAPIServerUnavailable, Aside: true,
			Message: fmt.Sprintf("Secret %q was deleted, and the API server does not let it be put back: %s. Remove what refuses that, such as a quota. Until then its pair stays in the deleted Secret, which the operator's finalizer holds, and is refreshed there when it is due.", s.Ref.Name, words.Of(err)),
		}
		a.notes.With(s.Token.UID, func(m *note) {
			m.restoreBlocked = a.notes.again(m.restoreBlocked, s.Token, p, retry.After(err))
		})
		return Result{State: Again}
	default:
		return a.notes.failed(s, err, "The pair could not be put back")
	}
}

// adopt takes up the pair that a deleted resource of this name has left, unless the resource has one of its own under a former
// name, which the cache does not show while it is being put back. A seed that could not be read may hold another login.
func (a *pairActions) adopt(ctx context.Context, s *scope.Scope) Result {
	if s.Seed.Unread != nil && s.Pair.State.Owner != s.Owner.UID {
		return a.notes.failed(s, s.Seed.Unread, "The retained pair was not taken up, because it could not be found out whether the seed holds another login")
	}
	if s.Token.Generation > 1 {
		switch refs, err := a.rotator.Store.Locate(ctx, s.Owner); {
		case err != nil:
			return a.notes.failed(s, err, "The retained pair was not taken up, because it could not be found out whether there is one under a former name")
		case slices.ContainsFunc(refs, func(ref rotation.Ref) bool { return ref != s.Ref }):
			return a.notes.failed(s, rotation.ErrConflict, "The pair stands under a former name") // The cache will show it in a moment.
		}
	}
	adopted, err := a.rotator.Adopt(ctx, s.Owner, s.Pair)
	switch {
	case errors.Is(err, rotation.ErrNotOwned): // This one's own pair is to be put back where that of a former resource stands.
		return a.notes.failedWith(s, *words.NotOwned(s.Ref.Name), backoff.Backoff{First: time.Second, Max: retry.Max})
	case err != nil:
		return a.notes.failed(s, err, "The retained pair could not be taken up")
	}
	if s.Pair.State.Owner != s.Owner.UID && (s.Input.Proof == rules.ProofAlive || s.Input.Vouched) {
		a.notes.With(s.Token.UID, func(m *note) { m.startsChain(adopted) }) // Otherwise it may be an old state that was put back.
	}
	return a.changed(s, adopted)
}

// reclaim takes hold of a pair Secret that was restored from a backup.
func (a *pairActions) reclaim(ctx context.Context, s *scope.Scope) Result {
	reclaimed, err := a.rotator.Reclaim(ctx, s.Owner, s.Pair)
	if err != nil {
		return a.notes.failed(s, err, "The restored pair Secret could not be taken over")
	}
	logr.FromContextOrDiscard(ctx).Info("A pair Secret that was restored from elsewhere was taken over; its pair has to be proven")
	return a.changed(s, reclaimed)
}

// takeUp reads the Secret live when somebody else has written it: they may have edited the tokens, which its metadata does not tell.
func (a *pairActions) takeUp(ctx context.Context, s *scope.Scope) Result {
	const what = "The pair Secret was edited, and what was changed could not be read or taken up"
	live, err := a.rotator.Store.Get(ctx, s.Ref)
	if err == nil && a.notes.isAnother(s.Token.UID, live) {
		err = a.stays(ctx, s)
	}
	var before rotation.State
	if err == nil {
		before = live.State.Clone()
		live, err = a.rotator.TakeUp(ctx, s.Owner, live)
	}
	switch {
	case err == nil:
		a.notes.read(s.Token.UID, live)
		a.notes.seen(s.Token.UID, live)
		a.notes.succeed(s.Token.UID)
		if before.HasToken() && !live.State.HasToken() && live.State.RefreshToken == before.RefreshToken {
			a.notes.overwritten(s)
		}
		return Result{State: Again}
	case errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrConflict):
		// It is gone, or somebody was at it again; the event about that brings us back.
		a.notes.seen(s.Token.UID, s.Pair)
		return Result{State: Again}
	case errors.Is(err, rotation.ErrOwnerGone):
		return a.notes.failed(s, rotation.ErrConflict, what) // The cache will show it in a moment.
	default:
		return a.notes.failed(s, err, what)
	}
}

// stays makes sure that the resource is still there. Another Secret in the pair's place may be a copy from a backup
// that is meant for the next resource of this name, while the cache still shows the one that is gone: to this one the
// copy would pass for its own, and be used without a proof.
func (a *pairActions) stays(ctx context.Context, s *scope.Scope) error {
	live, err := a.resources.Resource(ctx, scope.NameOf(s.Token))
	if err != nil {
		return fmt.Errorf("look for the resource of a pair Secret that was put in the place of another: %w", err)
	}
	if live == nil || live.UID != s.Token.UID || !live.DeletionTimestamp.IsZero() {
		return rotation.ErrOwnerGone
	}
	return nil
}

// offer begins the attempt to log in by the web flow that somebody asks for.
func (a *pairActions) offer(ctx context.Context, s *scope.Scope) Result {
	begun, p, err := a.logins.Begin(ctx, s)
	switch {
	case err != nil:
		return a.notes.failed(s, err, "The login by the web flow that was asked for could not be begun")
	case p != nil:
		return blocked(p)
	}
	logr.FromContextOrDiscard(ctx).Info("A login by the web flow was begun", "expires", begun.State.Web.ExpiresAt)
	return a.changed(s, begun)
}

// giveUp ends the import of a login of unknown outcome whose token the seed, read live, does not hold any more, or whose code was sent.
func (a *pairActions) giveUp(ctx context.Context, s *scope.Scope) Result {
	const what = "What became of a login whose exchange has an unknown outcome could not be written down"
	if login := s.Pair.LoginFromSeed(); login != "" {
		found, _, err := a.seeds.Read(ctx, s.Token)
		if err != nil {
			return a.notes.failed(s, err, what)
		}
		if found.Fingerprint == login {
			return Result{State: Again} // It has come back.
		}
	}
	left, err := a.rotator.GiveUp(ctx, s.Owner, s.Pair)
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	if left.State.Web != nil && left.State.Web.Ended == v1alpha1.WebLoginLost && s.Pair.Intent.Attempt == left.State.Web.ID {
		logins.CountAs(logins.Web, logins.Lost)
	}
	logr.FromContextOrDiscard(ctx).Info("A login of unknown outcome was given up")
	return a.changed(s, left)
}

// move brings a pair that stands under a former spec.secret.name to the current one. While that is taken by
// somebody else's Secret, or the API server refuses, the chain goes on under the former.
func (a *pairActions) move(ctx context.Context, s *scope.Scope) Result {
	wanted := scope.PairRefOf(s.Token)
	settled := ""
	if s.Pair.Intent != nil {
		settled = s.Pair.Intent.ID // Decide has found that nobody is at work on it.
	}
	moved, err := a.rotator.Move(ctx, s.Owner, s.Ref, wanted, settled)
	if err == nil {
		a.notes.With(s.Token.UID, func(m *note) { m.formerGone, m.moveBlocked = s.Pair.UID, nil })
		return a.changed(s, moved)
	}
	until := fmt.Sprintf(" Until then the pair stays in Secret %q and is refreshed there.", s.Ref.Name)
	p, wait := problem.Problem{
		Reason: v1alpha1.ReasonExchanging, Aside: true,
		Message: fmt.Sprintf("The pair could not be moved to Secret %q: %s.", wanted.Name, words.Of(err)) + until,
	}, retry.After(err)
	if isPassing(err) {
		a.notes.doubt(s.Token.UID)
		wait = backoff.Backoff{First: retry.Conflict, Max: retry.Max}
	}
	if errors.Is(err, rotation.ErrNotOwned) {
		p, wait = *words.NotOwned(wanted.Name), backoff.Backoff{First: time.Second, Max: retry.Max}
		p.Message, p.Aside = p.Message+until, true
		if a.isOutput(ctx, s.Token, wanted) {
			p = problem.Problem{
				Reason: v1alpha1.ReasonExchanging, Aside: true,
				Message: fmt.Sprintf("Secret %q is an output that is no longer asked for; it is removed first.", wanted.Name) + until,
			}
		}
	}
	a.notes.With(s.Token.UID, func(m *note) {
		m.moveBlocked = a.notes.again(m.moveBlocked, s.Token, p, wait)
	})
	return Result{State: Again}
}

// recoverState computes a state that an edit has garbled from the Secret's data, and writes it back. The seed
// counts as imported: a seed that was not could be put in place again, a spent one must not be sent.
func (a *pairActions) recoverState(ctx context.Context, s *scope.Scope) Result {
	const what = "The state of the pair cannot be read, and could not be computed anew from its tokens"
	live, err := a.rotator.Store.Get(ctx, s.Ref)
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	switch {
	case !live.Controlled || live.Owner.UID != s.Owner.UID:
		return a.notes.failed(s, rotation.ErrConflict, what) // Somebody has put another Secret in its place.
	case !live.LacksState():
		a.notes.read(s.Token.UID, live) // Somebody else has been faster.
		return Result{State: Again}
	}
	next := live.Clone()
	next.State.App = s.Input.App
	next.State.RefreshRequestedAt = s.Input.RefreshRequestedAt // It may have been honoured, and an edit is no request.
	if s.Token.Spec.RefreshTokenRef != nil {
		found, _, err := a.seeds.Read(ctx, s.Token)
		if err != nil {
			return a.notes.failed(s, err, what)
		}
		if found.Fingerprint != "" && found.Fingerprint != live.LoginFromSeed() {
			next.State.Seeds = append(next.State.Seeds, rotation.SeedRecord{Fingerprint: found.Fingerprint})
		}
		next.State.SeedVersion = found.Version
	}
	live.State = rotation.State{} // What is stored is unreadable, so all of it is written.
	recovered, err := a.rotator.Store.Update(ctx, live, next)
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	return a.changed(s, recovered)
}

// changed ends an action that has written the pair Secret, or found that it need not.
func (a *pairActions) changed(s *scope.Scope, pair *rotation.Pair) Result {
	a.notes.written(s.Token.UID, pair)
	a.notes.succeed(s.Token.UID)
	return Result{State: Again}
}
