package rotation

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// Reasons of a Verdict: those of the condition Authorized that an exchange can find out.
const (
	ReasonRefreshTokenMissing   = v1alpha1.ReasonRefreshTokenMissing
	ReasonRefreshTokenMalformed = v1alpha1.ReasonRefreshTokenMalformed
	ReasonRefreshTokenRejected  = v1alpha1.ReasonRefreshTokenRejected
	ReasonRefreshTokenExpired   = v1alpha1.ReasonRefreshTokenExpired
	ReasonReplyLost             = v1alpha1.ReasonReplyLost
	ReasonRevoked               = v1alpha1.ReasonRevoked
	ReasonWrongUser             = v1alpha1.ReasonWrongUser
	ReasonUserUnknown           = v1alpha1.ReasonUserUnknown
	ReasonOutcomeUnknown        = v1alpha1.ReasonOutcomeUnknown
)

// settle deals with an exchange that brought no pair.
func (r *Rotator) settle(ctx context.Context, job Job, fenced *Pair, err error) Result {
	var failure *github.Error
	if !errors.As(err, &failure) {
		// Nothing is known about it, so the worst is assumed.
		return Result{Outcome: Unknown, Pair: fenced, Err: err}
	}
	class, isCode := failure.Class, fenced.Intent.Attempt != ""
	if isCode && failure.EndsCode() {
		class = github.Rejected
	}
	switch class {
	case github.Ambiguous:
		return Result{Outcome: Unknown, Pair: fenced, Err: failure}
	case github.Rejected:
		return r.record(context.WithoutCancel(ctx), job.Owner, fenced.Ref, refusal{
			finding: finding{
				spent: fenced.Intent.Spends, app: job.App.Key(), intentID: fenced.Intent.ID, asked: job.RefreshRequestedAt, fromSeed: fenced.Intent.Login && !isCode,
				attempt: fenced.Intent.Attempt, why: string(failure.Reason),
			}, cause: failure, pair: fenced,
		})
	default:
		r.markUntouched(job.Owner, fenced.Intent)
		return Result{Outcome: Untouched, Pair: r.clearIntent(ctx, job, fenced), Err: failure}
	}
}

// clearIntent takes back the intent of an exchange that did not touch its token. When that fails the intent
// stays, and is resolved in time. It stays as well while the outcome of an earlier try is unknown.
func (r *Rotator) clearIntent(ctx context.Context, job Job, fenced *Pair) *Pair {
	if fenced.Intent.Unresolved > 0 {
		return fenced
	}
	next := fenced.Clone()
	next.Intent = nil
	next.State.Web = next.State.Web.Sending(fenced.Intent.Attempt, "") // The code is as good as before.
	if fenced.LoginFromSeed() != "" {
		next.State.SeedVersion = "" // It is looked at again.
		next.endLogin(fenced.Intent.Spends)
	}
	if job.Pair != nil {
		if before := job.Pair.State.verdictOn(fenced.Intent.Spends); before != nil {
			next.State.setAgain(before.Fingerprint, before.AgainAt) // GitHub has not looked at it.
		}
	}
	cleared, err := r.Store.Update(ctx, fenced, next)
	if err != nil {
		return fenced
	}
	return cleared
}

// finding is what an exchange or a poll has found out: that a token, or a device code, is of no more use.
type finding struct {
	// reason is found out when it is empty.
	reason   string
	spent    credential.Fingerprint
	app      string
	intentID string
	// asked is the value of the annotation refresh-requested-at.
	asked string
	// code says that it is a device code, which is redeemed without an intent.
	code bool
	// fromSeed says that it is the token of a login that the seed holds.
	fromSeed bool
	// attempt is the attempt to log in by the web flow whose code it is, and why the reason of GitHub's.
	attempt, why string
	// altered says that the verdict was written, and the intent taken back with it, but that something else was stored.
	altered bool
}

// condemn records that a token is of no more use, if the Secret, read live, still holds this token under
// this intent. Otherwise another replica has succeeded or is at work, and nothing is written: a failure
// never overwrites a token. The error is why a verdict could not be written, after some tries; that a received pair is
// not wanted is tried until it is written. What is learnt on the way stays in v.
func (r *Rotator) condemn(ctx context.Context, owner Owner, ref Ref, v *finding, result Result, what Unwritten) (Result, error) {
	for absent, failures := 0, 1; ; failures++ {
		condemned, err := r.attempt(ctx, func(ctx context.Context) (Result, error) {
			return r.tryCondemn(ctx, owner, ref, *v, result)
		})
		if errors.Is(err, errBeingReplaced) {
			absent++
		}
		if err == nil || absent > replacementTries {
			return condemned, nil
		}
		if errors.Is(err, ErrAltered) {
			v.altered, v.reason = true, condemned.Reason
		}
		r.told(owner, what, err)
		if what == UnwrittenVerdict && failures-absent >= verdictTries {
			return condemned, err
		}
		_ = r.Clock.Sleep(ctx, retryBackoff(err).After(failures))
	}
}

// errBeingReplaced says that the Secret is not there at this moment because somebody is putting it back.
var errBeingReplaced = errors.New("the Secret is being replaced")

// replacementTries is how often a Secret is looked for again that is being replaced. Whoever replaces it may have died,
// and the next reconcile, which comes when this work has ended, goes on with what it left.
const replacementTries = 6

// tryCondemn makes one attempt; an error means that there must be another.
func (r *Rotator) tryCondemn(ctx context.Context, owner Owner, ref Ref, v finding, result Result) (Result, error) {
	live, err := r.Store.Get(ctx, ref)
	switch {
	case errors.Is(err, ErrNotFound):
		result.Outcome = Superseded
		backup, err := r.getOrNil(ctx, owner.BackupRef())
		if err == nil && backup != nil && backup.holdsForVerdict(v) {
			err = errBeingReplaced
		}
		return result, err
	case err != nil:
		return result, err
	case !live.holdsForVerdict(v):
		result.Outcome, result.Pair = Superseded, live
		return result, nil
	}
	if v.altered && live.saysVerdict(v) {
		result.Pair, result.Reason = live, v.reason
		return result, nil
	}
	next, reason := pairCondemned(live, v, r.Clock.Now())
	stored, err := r.Store.Update(ctx, live, next)
	if errors.Is(err, ErrImmutable) {
		stored, err = r.replace(ctx, next, live)
	}
	if err != nil && !live.Orphan {
		switch gone, lookErr := r.nobodyLeft(ctx, owner, err); {
		case lookErr != nil:
			return result, errors.Join(err, lookErr)
		case gone:
			result.Outcome, result.Pair = Discarded, live
			return result, nil
		}
	}
	if err != nil {
		result.Reason = reason
		return result, err
	}
	result.Pair, result.Reason = stored, reason
	if !stored.names(next) {
		result.Outcome, result.Reason = Superseded, "" // A backup with something newer was met on the way.
	}
	return result, nil
}

// holdsForVerdict reports whether a verdict is about what the Secret still holds: a token under this very
// intent, or a device code, which is redeemed without one.
func (p *Pair) holdsForVerdict(v finding) bool {
	if v.code {
		return p.offers(v.spent)
	}
	if p.Intent == nil { // Of a login from the seed nothing but the intent tells.
		return v.altered && (p.Holds(v.spent) || v.fromSeed || v.attempt != "")
	}
	return p.isAt(v.spent) && p.Intent.ID == v.intentID
}

// saysVerdict reports whether a verdict is stored.
func (p *Pair) saysVerdict(v finding) bool {
	if v.code {
		return p.State.Device == nil || p.State.Device.Ended != ""
	}
	if v.attempt != "" {
		return p.State.Web == nil || p.State.Web.ID != v.attempt || p.State.Web.Ended != ""
	}
	isOf := func(found *Verdict) bool { return found != nil && found.Fingerprint == v.spent }
	return isOf(p.State.Verdict) || isOf(p.State.SeedVerdict)
}

// pairCondemned is the Secret with the verdict in its state. A login that was refused does not condemn
// the chain that was there before it.
func pairCondemned(live *Pair, v finding, now time.Time) (*Pair, string) {
	if v.code {
		return codeEnded(live, v.reason), v.reason
	}
	next := live.Clone()
	next.Intent = nil
	if v.attempt != "" { // Of the chain that was there before it, if there is one, nothing was found out.
		result := v1alpha1.WebLoginRejected
		if v.reason == ReasonWrongUser || v.reason == ReasonUserUnknown {
			result = v1alpha1.WebLoginWrongUser
		}
		next.State.Web = next.State.Web.Having(v.spent).Ending(v.attempt, result, cmp.Or(v.reason, v.why))
		return next, v.reason
	}
	state, isChain := &next.State, live.RefreshToken.Fingerprint() == v.spent
	if v.reason == "" {
		v.reason = ReasonRefreshTokenRejected
		switch {
		case isChain && state.AccessTokenEnded:
			v.reason = ReasonRevoked // GitHub said so before the exchange was begun.
		case live.Intent.Unresolved > 0:
			v.reason = ReasonReplyLost
		case isChain && !state.RefreshTokenExpiresAt.IsZero() && now.After(state.RefreshTokenExpiresAt):
			v.reason = ReasonRefreshTokenExpired
		}
	}
	found := &Verdict{Reason: v.reason, Fingerprint: v.spent, Time: now}
	// Another App's verdict on a login says nothing. Of one that was refused the record tells: its verdict goes with a later login.
	isFirst := isChain && state.verdictOn(v.spent) == nil || !isChain && !state.KnowsSeed(v.spent, v.app)
	if v.reason == ReasonRefreshTokenRejected && isFirst && !state.isDoubtful() {
		found.AgainAt, found.Asked = now.Add(AgainAfter), v.asked
	}
	if isChain {
		state.Verdict = found
		next.NextRefreshAt = time.Time{}
		next.endLogin(v.spent)
		return next, v.reason
	}
	record := SeedRecord{Fingerprint: v.spent, RefusedFor: v.app}
	if v.reason == ReasonWrongUser {
		record.RefusedFor = RefusedForAll
	} else {
		state.SeedVersion = "" // It is looked at again when spec.app changes.
	}
	state.recordSeed(record)
	next.endLogin(v.spent)
	if state.HasToken() || state.RefreshToken != "" {
		state.SeedVerdict = found
	} else {
		state.Verdict = found
	}
	return next, v.reason
}
