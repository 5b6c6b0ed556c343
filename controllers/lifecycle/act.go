package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// act does what was decided, or says what stands in the way.
func (c *Controller) act(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	switch decision.Action {
	case rotation.ActionRecover:
		return c.recoverState(ctx, s)
	case rotation.ActionMove:
		return c.move(ctx, s)
	case rotation.ActionRestore:
		return c.restore(ctx, s)
	case rotation.ActionTakeUp:
		return c.takeUp(ctx, s)
	case rotation.ActionAdopt:
		return c.adopt(ctx, s)
	case rotation.ActionReclaim:
		return c.reclaim(ctx, s)
	case rotation.ActionProve:
		return c.prove(ctx, s)
	case rotation.ActionImport, rotation.ActionRefresh, rotation.ActionResolve:
		return c.exchange(ctx, s, decision)
	default:
		return c.rest(ctx, s, decision)
	}
}

// rest is what is done when nothing can be done about the pair: a Secret in its place that nobody wants any
// more is released, and a person may be offered a code.
func (c *Controller) rest(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	p := Explain(s, decision)
	if decision.Problem != nil && decision.Problem.Reason == v1alpha1.ReasonSecretNotOwned {
		if err := c.releaseFormer(ctx, s); err != nil {
			return c.failed(s, err, "The Secret of a former resource of this name could not be released")
		}
		return blocked(p)
	}
	step := c.device.Advance(logr.FromContextOrDiscard(ctx), s, decision, p)
	result := blocked(step.Problem)
	result.Offered, result.RequeueAt = step.Offered, earliest(result.RequeueAt, step.RequeueAt)
	if step.Started {
		result.State = Started
	}
	return result
}

// failed is the result of an action whose write, or read, the API server refused or did not answer. It is
// remembered, reported and tried again, later each time.
func (c *Controller) failed(s *scope.Scope, err error, what string) Result {
	p := problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Message: what + ": " + words.Of(err) + "."}
	wait := retry.After(err)
	switch {
	case errors.Is(err, rotation.ErrTerminating):
		p = *words.Terminating()
		p.Stalled = true
	case isPassing(err):
		// The cache lags behind: the next event brings what is new.
		c.notes.doubt(s.Token.UID)
		p = problem.Problem{Reason: v1alpha1.ReasonExchanging, Message: "The pair Secret is being changed by somebody else."}
		wait = backoff.Backoff{First: retry.Conflict, Max: retry.Max}
	}
	return blocked(c.notes.fail(s.Token.UID, s.Token.Generation, s.Input.RefreshRequestedAt, p, wait))
}

// isPassing reports whether a write has merely met something newer than this process knew.
func isPassing(err error) bool {
	return errors.Is(err, rotation.ErrConflict) || errors.Is(err, rotation.ErrNotFound) || errors.Is(err, rotation.ErrExists)
}

// changed ends an action that has written the pair Secret, or found that it need not.
func (c *Controller) changed(s *scope.Scope, pair *rotation.Pair) Result {
	c.notes.written(s.Token.UID, pair)
	c.notes.succeed(s.Token.UID)
	return Result{State: Again}
}

// restore puts the pair back after its Secret was deleted. Nothing is exchanged.
func (c *Controller) restore(ctx context.Context, s *scope.Scope) Result {
	restored, err := c.rotator.Restore(ctx, s.Owner, s.Ref)
	switch {
	case err == nil:
		c.notes.With(s.Token.UID, func(m *note) { m.backupGone = s.BackupUID })
		return c.changed(s, restored)
	case errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrExists):
		return c.failedWith(s, *words.NotOwned(s.Ref.Name), backoff.Backoff{First: time.Second, Max: retry.Max})
	default:
		return c.failed(s, err, "The pair could not be put back")
	}
}

// failedWith is failed with a problem of its own.
func (c *Controller) failedWith(s *scope.Scope, p problem.Problem, wait backoff.Backoff) Result {
	return blocked(c.notes.fail(s.Token.UID, s.Token.Generation, s.Input.RefreshRequestedAt, p, wait))
}

// adopt takes up the pair that a deleted resource of this name has left.
func (c *Controller) adopt(ctx context.Context, s *scope.Scope) Result {
	adopted, err := c.rotator.Adopt(ctx, s.Owner, s.Pair)
	if err != nil {
		return c.failed(s, err, "The retained pair could not be taken up")
	}
	return c.changed(s, adopted)
}

// reclaim takes hold of a pair Secret that was restored from a backup.
func (c *Controller) reclaim(ctx context.Context, s *scope.Scope) Result {
	reclaimed, err := c.rotator.Reclaim(ctx, s.Owner, s.Pair)
	if err != nil {
		return c.failed(s, err, "The restored pair Secret could not be taken over")
	}
	logr.FromContextOrDiscard(ctx).Info("A pair Secret that was restored from elsewhere was taken over; its pair has to be proven")
	return c.changed(s, reclaimed)
}

// takeUp reads the Secret live when somebody else has written it: they may have edited the tokens, which its
// metadata does not tell.
func (c *Controller) takeUp(ctx context.Context, s *scope.Scope) Result {
	live, err := c.rotator.Store.Get(ctx, s.Ref)
	if err == nil {
		live, err = c.rotator.TakeUp(ctx, s.Owner, live)
	}
	switch {
	case err == nil:
		c.notes.read(s.Token.UID, live)
		c.notes.seen(s.Token.UID, live.Version)
		c.notes.succeed(s.Token.UID)
		return Result{State: Again}
	case errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrConflict):
		// It is gone, or somebody was at it again; the event about that brings us back.
		c.notes.seen(s.Token.UID, s.Pair.Version)
		return Result{State: Again}
	default:
		return c.failed(s, err, "The pair Secret was edited, and what was changed could not be read or taken up")
	}
}

// move brings a pair that stands under a former spec.secret.name to the current one. While that is taken by
// somebody else's Secret, or the API server refuses, the chain goes on under the former.
func (c *Controller) move(ctx context.Context, s *scope.Scope) Result {
	wanted := scope.PairRefOf(s.Token)
	settled := ""
	if s.Pair.Intent != nil {
		settled = s.Pair.Intent.ID // Decide has found that nobody is at work on it.
	}
	moved, err := c.rotator.Move(ctx, s.Owner, s.Ref, wanted, settled)
	if err == nil {
		c.notes.With(s.Token.UID, func(m *note) { m.formerGone, m.moveBlocked = s.Pair.UID, nil })
		return c.changed(s, moved)
	}
	until := fmt.Sprintf(" Until then the pair stays in Secret %q and is refreshed there.", s.Ref.Name)
	p, wait := problem.Problem{
		Reason: v1alpha1.ReasonExchanging, Aside: true,
		Message: fmt.Sprintf("The pair could not be moved to Secret %q: %s.", wanted.Name, words.Of(err)) + until,
	}, retry.After(err)
	if isPassing(err) {
		c.notes.doubt(s.Token.UID)
		wait = backoff.Backoff{First: retry.Conflict, Max: retry.Max}
	}
	if errors.Is(err, rotation.ErrNotOwned) {
		p, wait = *words.NotOwned(wanted.Name), backoff.Backoff{First: time.Second, Max: retry.Max}
		p.Message, p.Aside = p.Message+until, true
		if c.reporter.IsOutput(ctx, s.Token, wanted) {
			p = problem.Problem{
				Reason: v1alpha1.ReasonExchanging, Aside: true,
				Message: fmt.Sprintf("Secret %q is an output that is no longer asked for; it is removed first.", wanted.Name) + until,
			}
		}
	}
	c.notes.With(s.Token.UID, func(m *note) {
		m.moveBlocked = c.notes.again(m.moveBlocked, s.Token.Generation, s.Input.RefreshRequestedAt, p, wait)
	})
	return Result{State: Again}
}

// recoverState computes a state that an edit has garbled from the Secret's data, and writes it back. The seed
// counts as imported: a seed that was not could be put in place again, a spent one must not be sent.
func (c *Controller) recoverState(ctx context.Context, s *scope.Scope) Result {
	const what = "The state of the pair cannot be read, and could not be computed anew from its tokens"
	live, err := c.rotator.Store.Get(ctx, s.Ref)
	if err != nil {
		return c.failed(s, err, what)
	}
	switch {
	case !live.Controlled || live.Owner.UID != s.Owner.UID:
		return c.failed(s, rotation.ErrConflict, what) // Somebody has put another Secret in its place.
	case !live.StateLost:
		c.notes.read(s.Token.UID, live) // Somebody else has been faster.
		return Result{State: Again}
	}
	next := live.Clone()
	next.State.App = s.Input.App
	next.State.RefreshRequestedAt = s.Input.RefreshRequestedAt // It may have been honoured, and an edit is no request.
	if s.Token.Spec.RefreshTokenRef != nil {
		found, _, err := c.seeds.Read(ctx, s.Token)
		if err != nil {
			return c.failed(s, err, what)
		}
		if found.Fingerprint != "" {
			next.State.Seeds = append(next.State.Seeds, rotation.SeedRecord{Fingerprint: found.Fingerprint})
		}
		next.State.SeedVersion = found.Version
	}
	live.State = rotation.State{} // What is stored is unreadable, so all of it is written.
	recovered, err := c.rotator.Store.Update(ctx, live, next)
	if err != nil {
		return c.failed(s, err, what)
	}
	return c.changed(s, recovered)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
