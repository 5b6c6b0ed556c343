package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential/shape"
	"github.com/githubusertoken/github-user-token-operator/internal/jsonfields"
)

// fence writes the intent to the pair Secret, and for a login from the seed which one that is, and returns the Secret as it
// then stands. No data is written: the token of a login stays in the seed. It proves three things before anything is burnt: the cache is not stale, nobody else is at
// work, and the API server stores this very write now, as it is.
func (r *Rotator) fence(ctx context.Context, job Job, intent *Intent) (*Pair, *Result) {
	writing, cancel := r.Clock.WithTimeout(ctx, FenceTimeout)
	defer cancel()

	var fenced *Pair
	var err error
	if job.Pair == nil {
		fenced, err = r.Store.Create(writing, r.firstPair(job, intent))
	} else {
		fenced, err = r.Store.Update(writing, job.Pair, withFence(job, intent))
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrConflict), errors.Is(err, ErrExists), errors.Is(err, ErrNotFound):
		return nil, &Result{Outcome: Stale, Err: err}
	case errors.Is(err, ErrImmutable):
		return nil, r.makeMutable(ctx, job.Ref)
	case errors.Is(err, ErrAltered):
		// What stands there may not keep others away, nor say later what was done. It is not resolved either: nothing is sent.
		r.markAltered(job.Owner, intent, fenced)
		return nil, &Result{Outcome: NotFenced, Pair: fenced, Err: err}
	case errors.Is(err, ErrDenied), errors.Is(err, ErrTerminating), errors.Is(err, ErrOwnerGone), errors.Is(err, ErrNotOwned):
		return nil, &Result{Outcome: NotFenced, Err: err}
	default:
		// The write may have been applied although its reply was lost: look, and do not write again.
		refused := fmt.Errorf("the API server did not confirm the fence: %w", err)
		fenced, err = r.Store.Get(writing, job.Ref)
		if err != nil || fenced.StateLost || !jsonfields.Same(fenced.Intent, intent) {
			if err != nil {
				refused = fmt.Errorf("%w; and looked for: %w", refused, err)
			}
			return nil, &Result{Outcome: NotFenced, Pair: fenced, Err: refused}
		}
		fenced.MayBeElsewhere = true // Create did not say.
	}
	if !fenced.hasTokens() || intent.Unresolved > 0 {
		if stop := r.foundBackup(writing, job); stop != nil {
			return nil, stop
		}
	}
	if !fenced.hasTokens() {
		if stop := r.foundOverwritten(writing, job, intent); stop != nil {
			return nil, stop
		}
	}
	if intent.Unresolved > 0 || !fenced.hasTokens() && (job.Pair != nil || fenced.MayBeElsewhere) {
		if stop := r.foundElsewhere(writing, job, fenced); stop != nil {
			return nil, stop
		}
	}
	return r.inspect(ctx, job, fenced)
}

// foundBackup reports whether the Secret has no tokens, or old ones, only because it is being replaced. The backup was
// written before the name became free, so it is seen by whoever has taken the name.
func (r *Rotator) foundBackup(ctx context.Context, job Job) *Result {
	switch backup, err := r.getOrNil(ctx, job.Owner.BackupRef()); {
	case err != nil:
		return &Result{Outcome: NotFenced, Err: fmt.Errorf("look for a backup before the first exchange: %w", err)}
	case backup != nil && backup.Controlled:
		return &Result{Outcome: Stale, Err: errors.New("the pair Secret is being replaced")}
	default:
		return nil
	}
}

// foundOverwritten reports whether the backup was there and has been put into the Secret before it was looked for.
func (r *Rotator) foundOverwritten(ctx context.Context, job Job, intent *Intent) *Result {
	switch live, err := r.getOrNil(ctx, job.Ref); {
	case err != nil:
		return &Result{Outcome: NotFenced, Err: fmt.Errorf("look whether the first fence stands: %w", err)}
	case live == nil || live.hasTokens() || live.Intent == nil || live.Intent.ID != intent.ID:
		return &Result{Outcome: Stale, Pair: live, Err: errors.New("the pair Secret was replaced")}
	default:
		return nil
	}
}

// foundElsewhere reports whether the pair stands under another name too, which the cache did not show: the spec has asked for another one
// since, or somebody has put a backup back late. Whoever creates a Secret under one name sees the one under the other, since it is looked
// for after that. What was created for nothing is removed again, and otherwise the two become one, before any token is sent.
func (r *Rotator) foundElsewhere(ctx context.Context, job Job, fenced *Pair) *Result {
	refs, err := r.Store.Locate(ctx, job.Owner)
	if err != nil {
		return &Result{Outcome: NotFenced, Err: fmt.Errorf("look for the pair under another name: %w", err)}
	}
	for _, ref := range refs {
		if ref == job.Ref {
			continue
		}
		found := fmt.Errorf("the pair stands in Secret %s", ref.Name)
		if job.Pair == nil {
			return &Result{Outcome: Stale, Err: errors.Join(found, r.Store.Remove(ctx, fenced))}
		}
		other, err := r.Store.Get(ctx, ref)
		if err == nil && other.belongsTo(job.Owner) {
			err = r.merge(ctx, fenced, other)
		}
		return &Result{Outcome: Stale, Err: errors.Join(found, err)}
	}
	return nil
}

// inspect looks at the fenced Secret's data for what its metadata could not tell.
func (r *Rotator) inspect(ctx context.Context, job Job, fenced *Pair) (*Pair, *Result) {
	if _, held := job.token(fenced); !held {
		taken, err := r.TakeUp(ctx, job.Owner, fenced)
		return nil, &Result{Outcome: Stale, Pair: taken, Err: errors.Join(errors.New("the Secret's tokens were edited by somebody else"), err)}
	}
	switch {
	case fenced.Deleting && (job.Pair == nil || !job.Pair.Deleting):
		// Somebody has just deleted the Secret. It is put back first; the fence moves with it.
		return nil, &Result{Outcome: Stale, Pair: fenced, Err: errors.New("the Secret is being deleted")}
	case fenced.Immutable:
		return nil, r.makeMutable(ctx, job.Ref)
	}
	return fenced, nil
}

// makeMutable replaces a Secret that somebody has made immutable by one with the same content.
func (r *Rotator) makeMutable(ctx context.Context, ref Ref) *Result {
	live, err := r.Store.Get(ctx, ref)
	if err == nil && live.Immutable {
		live, err = r.replace(ctx, live, live)
	}
	if errors.Is(err, ErrDenied) {
		return &Result{Outcome: NotFenced, Err: fmt.Errorf("the Secret is immutable, and was not replaced: %w", err)}
	}
	return &Result{Outcome: Stale, Pair: live, Err: errors.Join(ErrImmutable, err)}
}

// TakeUp brings the state into line with data that somebody has edited by hand, given the Secret as it was just read. Another refresh
// token is a login that somebody pasted there; an access token that is not the one that came with the refresh token is of no use, so that
// a new pair is got at once; a refresh token that was taken out is gone. When nothing was edited nothing is written, and nothing to a
// Secret that is not the owner's: somebody may have put it in the place of the one that was seen. Errors: ErrNotOwned, or Update's.
func (r *Rotator) TakeUp(ctx context.Context, owner Owner, live *Pair) (*Pair, error) {
	if !live.belongsTo(owner) {
		return live, ErrNotOwned
	}
	state := &live.State
	sameAccess, sameRefresh := live.AccessToken.Fingerprint() == state.AccessToken, live.RefreshToken.Fingerprint() == state.RefreshToken
	login := live.login()
	samePending := login == state.PendingSeed
	held := live.Intent == nil || live.isAt(live.Intent.Spends)
	if sameAccess && sameRefresh && samePending && held {
		return live, nil
	}
	next := live.Clone()
	if !held {
		next.Intent = nil
	}
	switch {
	case !sameRefresh && live.RefreshToken.IsZero():
		next.State.RefreshToken = ""
		next.State.Verdict = &Verdict{Reason: ReasonRefreshTokenMissing, Time: r.Clock.Now()}
	case !sameRefresh:
		next.State.RefreshToken = live.RefreshToken.Fingerprint()
		next.State.Verdict = nil
		next.State.User = nil // Whose it is has to be learnt.
		next.State.Login = state.Login.ReplacedBy(next.State.RefreshToken, r.Clock.Now(), state.AccessToken, state.RefreshToken)
		if shape.NotRefreshToken(live.RefreshToken.Reveal()) != "" {
			next.State.Verdict = &Verdict{Reason: ReasonRefreshTokenMalformed, Fingerprint: next.State.RefreshToken, Time: r.Clock.Now()}
		}
	}
	if !sameAccess || !sameRefresh && next.State.Verdict == nil {
		next.State.AccessToken, next.State.AccessTokenEnded = "", false
	}
	if !sameRefresh && state.verdictOn(state.RefreshToken) != nil {
		next.State.Former = next.State.Former.With(state.RefreshToken) // It is of no more use, wherever else it stands.
	}
	next.State.PendingSeed = next.login() // A copy of the token that was taken out may wait there: now it is a login.
	updated, err := r.Store.Update(ctx, live, next)
	if err != nil {
		return live, err
	}
	return updated, nil
}

func (r *Rotator) intent(job Job) *Intent {
	intent := &Intent{
		ID: r.NewID(), Holder: r.Me, Spends: job.Decision.Spends, Login: !job.Seed.IsZero() || job.redeems(), Attempt: job.Attempt, App: job.App.Key(), StartedAt: r.Clock.Now(),
	}
	before := r.before(job, intent)
	if before != nil {
		intent.Unresolved = before.Unresolved
	} else if intent.Login && !job.redeems() && job.Pair != nil && job.Pair.State.Unanswered.Has(intent.Spends) {
		intent.Unresolved = 1
	}
	if before != nil && !r.isUntouched(job.Owner, before) {
		intent.Unresolved++
	}
	return intent
}

// firstPair is the Secret whose creation is the fence of the first exchange.
func (r *Rotator) firstPair(job Job, intent *Intent) *Pair {
	return &Pair{
		Ref: job.Ref, Owner: job.Owner, Labels: job.Labels, Annotations: job.Annotations,
		Intent: intent,
		State: State{
			Owner: job.Owner.UID, OwnerName: job.Owner.Name, App: job.App.Key(),
			PendingSeed: intent.Spends, SeedVersion: job.SeedVersion,
		},
	}
}

// withFence is the known metadata with the intent, and for a login from the seed with which one that is.
func withFence(job Job, intent *Intent) *Pair {
	next := job.Pair.Clone()
	next.Intent = intent
	next.State.setAgain(intent.Spends, time.Time{}) // It is presented now, and not once more.
	if intent.Attempt != "" {
		next.State.Web = next.State.Web.Sending(intent.Attempt, intent.Spends)
	}
	if intent.Login && intent.Attempt == "" {
		next.State.PendingSeed = intent.Spends
		next.State.SeedVersion = job.SeedVersion
	}
	if intent.Login && !next.State.HasToken() && next.State.RefreshToken == "" {
		next.State.App = job.App.Key()
	}
	return next
}
