package rotation

import (
	"context"
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

const (
	commitBackoffMin = 100 * time.Millisecond
	commitBackoffMax = 5 * time.Second
)

// commit stores a pair. It tries until the pair is stored, or until somebody else's newer pair is found
// there, or until there is nobody left to store it for. live is the Secret as it was last seen, nil when
// it has to be read first.
func (r *Rotator) commit(ctx context.Context, policy Policy, record Record, tokens github.Tokens, live *Pair) Result {
	began := r.Clock.Monotonic()
	backoff := commitBackoffMin
	conflicts := 0
	for {
		result, err := r.tryCommit(ctx, policy, record, tokens, live)
		if err == nil {
			result.Conflicts = conflicts
			result.CommitDuration = r.Clock.Monotonic() - began
			return result
		}
		// Whatever went wrong, the next try begins with a live read: a write that seemed to fail may have been
		// applied, and a write that conflicted has met something newer.
		live = nil
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) {
			conflicts++
		}
		if r.OnCommitRetry != nil {
			r.OnCommitRetry(record.Owner, err)
		}
		if conflicts == 1 && backoff == commitBackoffMin && errors.Is(err, ErrConflict) {
			continue // The first conflict is most often a label edit: go on at once.
		}
		_ = r.Clock.Sleep(ctx, backoff)
		backoff = min(2*backoff, commitBackoffMax)
	}
}

// tryCommit makes one attempt; an error means that there must be another.
func (r *Rotator) tryCommit(ctx context.Context, policy Policy, record Record, tokens github.Tokens, live *Pair) (Result, error) {
	if live == nil {
		var err error
		live, err = r.Store.Get(ctx, record.Ref)
		if errors.Is(err, ErrNotFound) {
			return r.commitByCreate(ctx, pairAfter(&Pair{Ref: record.Ref, Owner: record.Owner, State: record.Base}, policy, record, tokens))
		}
		if err != nil {
			return Result{}, err
		}
	}
	next := pairAfter(live, policy, record, tokens)
	switch {
	case live.State.AccessToken == next.State.AccessToken && live.AccessToken.Fingerprint() == next.State.AccessToken:
		return Result{Outcome: Committed, Pair: live}, nil
	case movedOn(live, record):
		return Result{Outcome: Superseded, Pair: live}, nil
	case !live.Controlled:
		return r.commitToBackup(ctx, next)
	}
	stored, err := r.Store.Update(ctx, live, next)
	if errors.Is(err, ErrImmutable) {
		if err := r.replace(ctx, next, live); err != nil {
			return Result{}, err
		}
		return Result{Outcome: Committed, Pair: next}, nil
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Outcome: Committed, Pair: stored}, nil
}

// commitByCreate stores the pair where the Secret is gone: its finalizer was taken off by force.
func (r *Rotator) commitByCreate(ctx context.Context, next *Pair) (Result, error) {
	stored, err := r.Store.Create(ctx, next)
	switch {
	case err == nil:
		return Result{Outcome: Committed, Pair: stored}, nil
	case errors.Is(err, ErrOwnerGone), errors.Is(err, ErrTerminating):
		return Result{Outcome: Discarded, Err: err}, nil
	default:
		return Result{}, err
	}
}

// commitToBackup stores the pair beside a Secret that somebody else put in its place. It is moved there
// when the name is free again.
func (r *Rotator) commitToBackup(ctx context.Context, next *Pair) (Result, error) {
	backup, err := r.keepBackup(ctx, next)
	switch {
	case err == nil:
		return Result{Outcome: Committed, Pair: backup}, nil
	case errors.Is(err, ErrOwnerGone), errors.Is(err, ErrTerminating):
		return Result{Outcome: Discarded, Err: err}, nil
	default:
		return Result{}, err
	}
}

// movedOn says whether the stored chain has gone on without this exchange: then somebody logged in anew,
// and their pair stays.
func movedOn(live *Pair, record Record) bool {
	if live.Holds(record.Spent) || isOlderCopy(live, record) {
		return false
	}
	switch live.RefreshToken.Fingerprint() {
	case "":
		// No refresh token: either someone has emptied the Secret, or a login brought a token that never
		// expires. Only the latter raised the revision.
		return live.State.Revision != record.Base.Revision
	case record.Base.RefreshToken:
		return false
	default:
		return true
	}
}

// isOlderCopy says whether somebody has put an older state of this very chain back, as from a backup: a
// lower revision that knows of no login that the fence did not know. Its tokens are spent.
func isOlderCopy(live *Pair, record Record) bool {
	if live.State.Revision >= record.Base.Revision || len(live.State.Seeds) == 0 ||
		live.State.RefreshToken != live.RefreshToken.Fingerprint() || !live.SeedToken.IsZero() {
		return false
	}
	for _, seed := range live.State.Seeds {
		if seed.RefusedFor == "" && !record.Base.HasImported(seed.Fingerprint) {
			return false
		}
	}
	return true
}

// pairAfter is the Secret with the new pair in place.
func pairAfter(live *Pair, policy Policy, record Record, tokens github.Tokens) *Pair {
	next := live.Clone()
	next.AccessToken = tokens.AccessToken
	next.RefreshToken = tokens.RefreshToken
	next.TokenType = tokens.TokenType
	// Whoever else means to spend this token comes too late; an intent for another one stands.
	if next.Intent != nil && next.Intent.Spends == record.Spent {
		next.Intent = nil
	}
	state := &next.State
	if state.Owner == "" {
		state.Owner, state.OwnerName = record.Owner.UID, record.Owner.Name
	}
	if record.Login {
		state.recordSeed(SeedRecord{Fingerprint: record.Spent})
		state.RefreshCount = 0
		state.User = nil
		if record.SeedVersion != "" {
			state.SeedVersion = record.SeedVersion
		}
		state.Device = nil
		next.DeviceCode = credential.DeviceCode{}
	}
	if live.SeedToken.Fingerprint() == record.Spent {
		next.SeedToken = credential.RefreshToken{}
		state.PendingSeed = ""
	}
	if record.RefreshRequestedAt != "" {
		state.RefreshRequestedAt = record.RefreshRequestedAt
	}
	state.App = record.App
	state.Revision = max(state.Revision, record.Base.Revision) + 1
	state.RefreshCount++
	state.AccessToken = tokens.AccessToken.Fingerprint()
	state.RefreshToken = tokens.RefreshToken.Fingerprint()
	state.IssuedAt = record.Reply.SentAt
	state.ExpiresAt = tokens.ExpiresAt
	state.RefreshTokenExpiresAt = tokens.RefreshTokenExpiresAt
	state.Verdict = nil
	state.SeedVerdict = nil
	state.Retained = false
	next.NextRefreshAt = policy.DueAt(state)
	return next
}
