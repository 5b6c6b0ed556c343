package rotation

import (
	"context"
	"errors"
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// ReasonAuthorizationDenied ends a series of device codes: the person pressed Cancel. It is a reason of the
// condition Authorized as well.
const ReasonAuthorizationDenied = v1alpha1.ReasonAuthorizationDenied

// CauseDeviceFlow says that a pair was got because a person entered a code.
const CauseDeviceFlow Cause = "DeviceFlow"

// Poller asks GitHub once whether a person has entered the user code of a device authorization. The answer
// that they have holds the only pair, once. An error is always a *github.Error.
type Poller interface {
	PollDevice(ctx context.Context, app github.App, code credential.DeviceCode) (*github.Reply, error)
}

// Codes has the device codes that were stored, each in a Secret of its own; see package offer.
type Codes interface {
	// Code reads the device code of a name. Errors: ErrNotFound, or unknown.
	Code(ctx context.Context, owner Owner, name credential.Fingerprint) (credential.DeviceCode, error)
}

// Poll asks GitHub once whether the person has entered the code that the Secret names, and stores the pair
// if so. A poll that succeeds is as destructive as an exchange: GitHub gives the pair out once. So the reply
// is kept before anybody looks into it, nothing cancels the rest, and nothing is asked while a reply could
// not be kept. It needs no fence: a code that is redeemed twice yields one pair, and whoever asks too late
// hears that the code is unknown and writes nothing.
//
// Outcomes beside those of a commit: Untouched when the person is still waited for, or GitHub could not be
// asked; Unknown when its answer was lost, which the next poll finds out; Rejected when the code is of no
// more use, with a Reason if no further one should be offered; Stale when the Secret holds another code.
func (r *Rotator) Poll(ctx context.Context, job Job) Result {
	if err := r.Outbox.Reserve(job.Owner); err != nil {
		return Result{Outcome: NoOutbox, Err: err}
	}
	defer r.Outbox.Release(job.Owner)
	live, err := r.Store.Get(ctx, job.Ref)
	switch {
	case errors.Is(err, ErrNotFound):
		return Result{Outcome: Stale, Err: err}
	case err != nil:
		return Result{Outcome: NotFenced, Err: fmt.Errorf("read which device code is offered: %w", err)}
	case !live.belongsTo(job.Owner), live.Deleting, !live.offers(job.Decision.Spends):
		return Result{Outcome: Stale, Pair: live, Err: errors.New("the Secret names another device code")}
	}
	code := live.DeviceCode // Where an older version has stored it.
	if code.Fingerprint() != job.Decision.Spends {
		code, err = r.Codes.Code(ctx, job.Owner, job.Decision.Spends)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return Result{Outcome: Rejected, Pair: live, Err: errors.New("the device code was removed")}
	case err != nil:
		return Result{Outcome: NotFenced, Err: fmt.Errorf("read the device code: %w", err)}
	}
	ctx = context.WithoutCancel(ctx)
	sending, cancel := r.Clock.WithTimeout(ctx, ExchangeTimeout)
	defer cancel()
	began := r.Clock.Monotonic()
	reply, err := r.Poller.PollDevice(sending, job.App, code)
	took := r.Clock.Monotonic() - began
	if err != nil {
		return r.settlePoll(ctx, live, err)
	}
	result := r.Accept(ctx, job, live, Record{
		ID: r.NewID(), Ref: live.Ref, Owner: job.Owner, App: job.App.Key(),
		Spent: job.Decision.Spends, Code: true, Login: true, SecretUID: live.UID, Base: live.State,
		RefreshRequestedAt: job.RefreshRequestedAt, Publication: job.Publication, User: job.User, Reply: reply,
	})
	result.ExchangeDuration = took
	if reply.RateLimited {
		result.Pause = reply.RetryAfter
	}
	return result
}

// settlePoll deals with a poll that brought no pair. What it writes is a convenience for the next process,
// so a write that does not succeed is left to the next poll, whose answer will be the same.
func (r *Rotator) settlePoll(ctx context.Context, live *Pair, err error) Result {
	var failure *github.Error
	if !errors.As(err, &failure) {
		return Result{Outcome: Unknown, Pair: live, Err: err}
	}
	result := Result{Outcome: Untouched, Pair: live, Err: failure}
	switch {
	case failure.Reason == github.AccessDenied:
		result.Outcome, result.Reason = Rejected, ReasonAuthorizationDenied
		result.Pair = r.note(ctx, live, codeEnded(live, ReasonAuthorizationDenied))
	case failure.Reason == github.SlowDown:
		slower := live.Clone()
		slower.State.Device.SlowDown(failure.RetryAfter)
		result.Pair = r.note(ctx, live, slower)
	case failure.Class == github.Ambiguous:
		result.Outcome = Unknown
	case failure.Class == github.Rejected:
		result.Outcome = Rejected
	}
	return result
}

// note writes what was learnt of a code, if the Secret is still as it was read. It returns the Secret as it
// was last seen.
func (r *Rotator) note(ctx context.Context, live, next *Pair) *Pair {
	noted, err := r.Store.Update(ctx, live, next)
	if err != nil {
		return live
	}
	return noted
}

// codeEnded is the Secret after a code that is to have no successor. The chain, the intent and the login of
// somebody else who is at work are left as they are.
func codeEnded(live *Pair, reason string) *Pair {
	next := live.Clone()
	if next.State.Device != nil {
		next.State.Device.Ended = reason
	}
	return next
}

// offers reports whether a device code is the one that a person can enter, or could.
func (p *Pair) offers(code credential.Fingerprint) bool {
	return code != "" && p.State.Device != nil && p.State.Device.DeviceCode == code
}
