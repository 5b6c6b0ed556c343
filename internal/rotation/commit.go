package rotation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/origin"
)

// commitBackoff is between two tries to store a pair or a verdict, and refusedBackoff where the API server refuses it: that
// may last for ever, and passes when somebody changes something.
var (
	commitBackoff  = backoff.Backoff{First: 100 * time.Millisecond, Max: 5 * time.Second}
	refusedBackoff = backoff.Backoff{First: 100 * time.Millisecond, Max: 30 * time.Second}
)

// retryBackoff is how long to wait after an error of the Store.
func retryBackoff(err error) backoff.Backoff {
	if errors.Is(err, ErrDenied) || errors.Is(err, ErrNotOwned) || errors.Is(err, ErrTerminating) || errors.Is(err, ErrAltered) {
		return refusedBackoff
	}
	return commitBackoff
}

// told tells that something could not be written yet.
func (r *Rotator) told(owner Owner, what Unwritten, err error) {
	if r.OnRetry != nil {
		r.OnRetry(owner, what, err)
	}
}

// attemptTimeout is for a handful of requests to the API server.
const attemptTimeout = 30 * time.Second

// commit stores a pair. It tries until the pair is stored, or until somebody else's newer pair is found
// there, or until there is nobody left to store it for. live is the Secret as it was last seen, nil when
// it has to be read first. A try that gets no answer is given up; the tries are not.
func (r *Rotator) commit(ctx context.Context, policy Policy, record Record, tokens github.Tokens, live *Pair) Result {
	began := r.Clock.Monotonic()
	conflicts := 0
	for failures := 1; ; failures++ {
		result, err := r.attempt(ctx, func(ctx context.Context) (Result, error) {
			return r.tryCommit(ctx, policy, record, tokens, live)
		})
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
		record.altered = record.altered || errors.Is(err, ErrAltered)
		r.told(record.Owner, UnwrittenPair, err)
		if conflicts == 1 && failures == 1 && errors.Is(err, ErrConflict) {
			failures = 0 // It costs no wait, and the next failure is the first that does.
			continue     // The first conflict is most often a label edit: go on at once.
		}
		_ = r.Clock.Sleep(ctx, retryBackoff(err).After(failures))
	}
}

// attempt bounds one try: nothing else does, since nothing cancels the whole.
func (r *Rotator) attempt(ctx context.Context, try func(context.Context) (Result, error)) (Result, error) {
	ctx, cancel := r.Clock.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return try(ctx)
}

// tryCommit makes one attempt; an error means that there must be another.
func (r *Rotator) tryCommit(ctx context.Context, policy Policy, record Record, tokens github.Tokens, live *Pair) (Result, error) {
	if live == nil {
		var err error
		live, err = r.Store.Get(ctx, record.Ref)
		if errors.Is(err, ErrNotFound) {
			return r.commitElsewhere(ctx, policy, record, tokens)
		}
		if err != nil {
			return Result{}, err
		}
	}
	next := pairAfter(live, policy, record, tokens)
	switch {
	case live.holdsPairOf(next):
		return Result{Outcome: Committed, Pair: live}, nil
	case isSomebodyElses(live, record):
		return r.commitToBackup(ctx, pairAfter(lastKnown(record), policy, record, tokens))
	case live.holdsReceived() && !live.isPartOf(next) && movedOn(live, record), live.isAwaitingLogin(record), live.holdsAnother(next) && movedOn(live, record):
		return Result{Outcome: Superseded, Pair: live}, nil
	case !live.holdsReceived() && !record.altered && !live.names(next): // What stands in the place of this very pair is no login.
		next.keepAsLogin(live.RefreshToken, record)
	}
	stored, err := r.Store.Update(ctx, live, next)
	if errors.Is(err, ErrImmutable) {
		stored, err = r.replace(ctx, next, live)
	}
	if err != nil && !live.Orphan { // One that was retained waits for the next resource of its name.
		switch gone, lookErr := r.nobodyLeft(ctx, record.Owner, err); {
		case lookErr != nil:
			return Result{}, errors.Join(err, lookErr)
		case gone:
			result, err := r.discard(ctx, live, err)
			if err != nil {
				return result, err
			}
			return r.commitToRetained(ctx, policy, record, tokens, result)
		}
	}
	if err != nil {
		return Result{}, err
	}
	return committed(stored, next), nil
}

// discard gives up a pair whose resource is gone, unless the Secret was let go of since it was read: it is retained then
// for the next resource of its name, which may have it already.
func (r *Rotator) discard(ctx context.Context, live *Pair, cause error) (Result, error) {
	now, err := r.getOrNil(ctx, live.Ref)
	switch {
	case err != nil:
		return Result{}, err
	case now != nil && now.Version != live.Version:
		return Result{}, ErrConflict
	default:
		return Result{Outcome: Discarded, Err: cause}, nil
	}
}

// nobodyLeft reports whether a write was refused because there is nobody left to write for. What the API server answers
// to a write is not believed: an admission webhook may answer anything. So it is looked at live, whatever the answer.
func (r *Rotator) nobodyLeft(ctx context.Context, owner Owner, err error) (bool, error) {
	switch {
	case errors.Is(err, ErrOwnerGone):
		return true, nil // The Store has looked.
	case errors.Is(err, ErrTerminating), errors.Is(err, ErrDenied), errors.Is(err, ErrNotOwned), errors.Is(err, ErrImmutable):
		return r.Store.Gone(ctx, owner)
	default:
		return false, nil
	}
}

// discardedOr is the result of a write that has failed: there is nobody left to write for, or it is tried again.
func (r *Rotator) discardedOr(ctx context.Context, owner Owner, err error) (Result, error) {
	switch gone, lookErr := r.nobodyLeft(ctx, owner, err); {
	case lookErr != nil:
		return Result{}, errors.Join(err, lookErr)
	case gone:
		return Result{Outcome: Discarded, Err: err}, nil
	default:
		return Result{}, err
	}
}

// isSomebodyElses reports whether the Secret in the pair's place is not the one of its resource: none of the operator's, or
// that of a resource of another name which has asked for the same Secret.
func isSomebodyElses(live *Pair, record Record) bool {
	if live.Controlled {
		return live.Owner.Name != record.Owner.Name
	}
	return !leftBehind(live, record)
}

// committed is the result of a write that has stored next, or something newer that it has met.
func committed(stored, next *Pair) Result {
	if !stored.holdsPairOf(next) {
		return Result{Outcome: Superseded, Pair: stored}
	}
	return Result{Outcome: Committed, Pair: stored}
}

// holdsReceived reports whether a pair is stored that somebody has received, as far as anybody can tell: its state speaks of both tokens.
// What admission, or somebody's hand, has put there in the place of a pair was not received, and no received pair gives way to it.
func (p *Pair) holdsReceived() bool {
	return !p.LacksState() && !p.State.isGuessed() && p.State.HasToken() && p.isWhole()
}

// holdsAnother reports whether the refresh token of another pair is stored as it was received, whatever stands beside it.
func (p *Pair) holdsAnother(next *Pair) bool {
	return !p.LacksState() && !p.State.isGuessed() && p.State.HasToken() && !p.names(next) && p.State.RefreshToken != "" && p.RefreshToken.Fingerprint() == p.State.RefreshToken
}

// isAwaitingLogin reports whether the pair of a later login was stored and altered. Whoever has received it stores it again. The
// logins of a pair that was disowned are those of the chain before.
func (p *Pair) isAwaitingLogin(record Record) bool {
	if p.holdsReceived() || p.State.Owner == RolledBack || p.LacksState() || p.State.isGuessed() || record.Base.Incomplete && !p.State.Incomplete {
		return false
	}
	return slices.ContainsFunc(p.State.Seeds, func(seed SeedRecord) bool {
		return seed.RefusedFor == "" && seed.Fingerprint != record.Spent && !record.Base.HasHeardOf(seed.Fingerprint)
	})
}

// isPartOf reports whether somebody has taken the refresh token out of this very pair, and that was taken down.
func (p *Pair) isPartOf(next *Pair) bool {
	return p.State.HasToken() && p.State.AccessToken == next.State.AccessToken && p.State.RefreshToken == ""
}

// keepAsLogin keeps a refresh token that somebody has pasted over the one that was being exchanged. It is a login, and is imported next.
func (p *Pair) keepAsLogin(pasted credential.RefreshToken, record Record) {
	token, state := pasted.Fingerprint(), &p.State
	isKnown := token == "" || token == record.Spent || token == record.Base.RefreshToken || state.KnowsSeed(token, state.App) || record.Base.KnowsSeed(token, record.App)
	if isKnown || !p.SeedToken.IsZero() {
		return
	}
	p.SeedToken = pasted
	p.endLogin("")
}

// lastKnown is the Secret as it was at the fence, without its tokens: what there is to go on from when it is gone.
func lastKnown(record Record) *Pair {
	return &Pair{Ref: record.Ref, Owner: record.Owner, Controlled: true, State: record.Base}
}

// leftBehind reports whether a Secret without an owner is the one that the exchange began with: its resource
// was deleted since, and the pair retained for the next one.
func leftBehind(live *Pair, record Record) bool {
	isOurs := live.State.Owner == record.Owner.UID
	return live.Orphan && (live.State.Retained || isOurs) &&
		(live.isAtSpentOf(&record) || live.State.descendsFrom(&record) || isOurs && !live.holdsReceived())
}

// commitElsewhere stores the pair where its Secret is not in its place: under the name to which it has moved since
// or, when it is gone, in a new one.
func (r *Rotator) commitElsewhere(ctx context.Context, policy Policy, record Record, tokens github.Tokens) (Result, error) {
	refs, err := r.Store.Locate(ctx, record.Owner)
	if err != nil {
		return Result{}, err
	}
	if len(refs) > 0 {
		return r.commitTo(ctx, policy, record, tokens, refs[0])
	}
	result, err := r.commitByCreate(ctx, pairAfter(lastKnown(record), policy, record, tokens))
	if err != nil || result.Outcome != Discarded {
		return result, err
	}
	return r.commitToRetained(ctx, policy, record, tokens, result)
}

// commitToRetained looks whether the pair of a resource that is gone was retained, before the pair is given up. The next
// resource of its name may have moved it, or may just be replacing its Secret, so that it stands in a backup alone. otherwise is
// the result when it was not.
func (r *Rotator) commitToRetained(ctx context.Context, policy Policy, record Record, tokens github.Tokens, otherwise Result) (Result, error) {
	refs, err := r.Store.Locate(ctx, Owner{Namespace: record.Owner.Namespace, Name: record.Owner.Name})
	if err != nil {
		return Result{}, err
	}
	for _, ref := range refs {
		live, err := r.Store.Get(ctx, ref)
		if errors.Is(err, ErrNotFound) {
			return Result{}, ErrConflict // It has just been moved, or put back into its place.
		}
		if err != nil {
			return Result{}, err
		}
		goesWithOwner := live.Controlled && live.Owner.UID == record.Owner.UID
		// Another process may have found the token spent meanwhile, and have condemned it: this is the pair that it was spent for.
		isAtSpent := live.isAtSpentOf(&record) || live.State.verdictOn(record.Spent) != nil
		if !goesWithOwner && (isAtSpent || leftBehind(live, record)) {
			return r.commitTo(ctx, policy, record, tokens, ref)
		}
	}
	return otherwise, nil
}

// commitTo stores the pair in the Secret to which it has moved.
func (r *Rotator) commitTo(ctx context.Context, policy Policy, record Record, tokens github.Tokens, ref Ref) (Result, error) {
	if ref == record.Ref {
		return Result{}, ErrConflict // It has just come back.
	}
	record.Ref = ref
	live, err := r.Store.Get(ctx, ref)
	if err != nil {
		return Result{}, err
	}
	return r.tryCommit(ctx, policy, record, tokens, live)
}

// commitByCreate stores the pair where the Secret is gone: its finalizer was taken off by force.
func (r *Rotator) commitByCreate(ctx context.Context, next *Pair) (Result, error) {
	stored, err := r.Store.Create(ctx, next)
	if err != nil {
		return r.discardedOr(ctx, next.Owner, err)
	}
	return Result{Outcome: Committed, Pair: stored}, nil
}

// commitToBackup stores the pair beside a Secret that somebody else put in its place. It is moved there when the name is free again.
func (r *Rotator) commitToBackup(ctx context.Context, next *Pair) (Result, error) {
	backup, err := r.keepBackup(ctx, next)
	if err != nil {
		return r.discardedOr(ctx, next.Owner, err)
	}
	return committed(backup, next), nil
}

// movedOn reports whether the stored chain has gone on without this exchange: then somebody logged in anew, and their pair stays.
func movedOn(live *Pair, record Record) bool {
	switch refresh := live.RefreshToken.Fingerprint(); {
	case live.isAtSpentOf(&record):
		return false
	case live.Controlled && live.Owner.UID != record.Owner.UID && !live.State.descendsFrom(&record) && !tookOver(live, record):
		return true // A new resource of the same name has begun a chain of its own.
	case isOlderCopy(live, record):
		return false
	case live.State.HasImported(record.Spent):
		return true // This login was committed before, and its chain has gone on.
	case record.Login:
		// It replaces every chain but that of a later login, and one that may be: of its logins nothing is known any more.
		return live.hasTokens() && (live.State.hasNewLogin(&record.Base) || live.State.Incomplete && !record.Base.Incomplete)
	case refresh == "":
		// Either somebody has emptied the Secret, or there was another commit: a login brought a token that never
		// expires, or an exchange of the pair that is being committed here brought half a reply.
		return live.hasTokens() && (live.State.hasNewLogin(&record.Base) || live.State.Revision > record.Base.Revision)
	default:
		return refresh != record.Base.RefreshToken
	}
}

// tookOver reports whether a new resource of the same name has taken over the very Secret that the exchange began
// with, and nothing has come of it yet: the first pair of its login was still to come when it was retained.
func tookOver(live *Pair, record Record) bool {
	return record.SecretUID != "" && live.UID == record.SecretUID && !live.hasTokens()
}

// descendsFrom reports whether a chain goes back to the one that an exchange began with. A resource takes such a
// chain over when it adopts a retained pair; otherwise it begins its own.
func (s *State) descendsFrom(record *Record) bool {
	if record.Base.hasLoginBeyond(s) {
		return false
	}
	known := func(seed SeedRecord) bool { return seed.Fingerprint == record.Spent }
	return len(s.Seeds) > 0 && (!record.Login || slices.ContainsFunc(s.Seeds, known))
}

// isOlderCopy reports whether somebody has put an older state of this very chain back, as from a backup: a
// lower revision that knows of no login that the fence did not know. Its tokens are spent.
func isOlderCopy(live *Pair, record Record) bool {
	if isFromBefore(live, record) {
		return true
	}
	if len(live.State.Seeds) == 0 || live.State.RefreshToken != live.RefreshToken.Fingerprint() {
		return false
	}
	if live.State.Revision >= record.Base.Revision || live.State.Incomplete && !record.Base.Incomplete {
		return false // Revisions that are counted anew are not to be compared.
	}
	return !live.State.hasLoginBeyond(&record.Base)
}

// isFromBefore reports whether somebody has put a copy into the very Secret of the fence that is from before that Secret
// was made: its revision was counted apart, and its logins are others. Whoever else writes to the Secret keeps the
// logins that the fence knew. When some of them may have been forgotten nobody can tell.
func isFromBefore(live *Pair, record Record) bool {
	return live.UID != "" && live.UID == record.SecretUID && !live.StateLost && !live.State.Incomplete &&
		len(live.State.Seeds) < MaxSeeds && record.Base.hasLoginBeyond(&live.State)
}

// pairAfter is the Secret with the new pair in place.
func pairAfter(live *Pair, policy Policy, record Record, tokens github.Tokens) *Pair {
	next := live.Clone()
	if live.LacksState() && live.Controlled && live.Owner.UID == record.Owner.UID {
		// Somebody has garbled the state since the fence, which knew it: what it says of logins and requests
		// keeps a token from being spent again.
		next.State, next.StateLost = record.Base.Clone(), false
	}
	next.AccessToken = tokens.AccessToken
	next.RefreshToken = tokens.RefreshToken
	next.TokenType = tokens.TokenType
	// Whoever else means to spend this token comes too late; an intent for another one stands.
	if next.Intent != nil && next.Intent.Spends == record.Spent {
		next.Intent = nil
	}
	state := &next.State
	access, refresh := tokens.AccessToken.Fingerprint(), tokens.RefreshToken.Fingerprint()
	isCounted := state.AccessToken == access && state.RefreshToken == refresh || // It was stored, and altered.
		!live.holdsReceived() && !live.isAtSpentOf(&record) && state.Revision > record.Base.Revision
	if record.Login || state.Owner == "" {
		owner := record.Owner
		if live.Controlled {
			owner = live.Owner // A chain that was adopted meanwhile stays with whoever has adopted it.
		}
		state.Owner, state.OwnerName = owner.UID, owner.Name
	}
	if isOlderCopy(live, record) || !live.hasTokens() {
		for _, known := range record.Base.Seeds {
			state.recordSeed(known) // It does not know of these logins: they are not to be imported again.
		}
		if requested := record.Base.RefreshRequestedAt; requested != "" {
			state.RefreshRequestedAt = requested // Nor of this request, which was honoured before.
		}
	}
	state.Login = origin.After(state.Login, record.Base.Login, cmp.Or(record.Base.LoginName(), record.Spent))
	if record.Login {
		state.recordSeed(SeedRecord{Fingerprint: record.Spent})
		if !isCounted {
			state.RefreshCount = 0
		}
		state.User, state.Login = record.Identity, live.State.Login.ReplacedBy(record.Spent, record.Reply.SentAt, live.State.AccessToken, live.State.RefreshToken)
		if record.SeedVersion != "" {
			state.SeedVersion = record.SeedVersion
		}
		state.SeedVerdict = nil
		state.Device, state.Web = nil, state.Web.AfterLogin(record.Attempt, tokens.Half)
	}
	next.withoutLeftovers(live, record.Spent)
	if record.RefreshRequestedAt != "" {
		state.RefreshRequestedAt = record.RefreshRequestedAt
	}
	state.App, state.Publication = record.App, max(state.Publication, record.Publication)
	if !isCounted {
		state.Revision = max(state.Revision, record.Base.Revision) + 1
		state.RefreshCount++
	}
	state.Former = state.Former.With(state.RefreshToken).With(record.Spent)
	state.AccessToken, state.RefreshToken = access, refresh
	next.endLogin(record.Spent)
	state.IssuedAt = record.Reply.SentAt
	state.ExpiresAt, state.Shortened, state.Restored = tokens.ExpiresAt, tokens.Shortened, false
	state.RefreshTokenExpiresAt = tokens.RefreshTokenExpiresAt
	state.Verdict = nil
	if state.AccessTokenEnded {
		state.AccessTokenEnded, state.RenewedAt = false, record.Reply.SentAt
	}
	if next.NextRefreshAt = policy.DueAt(state); refresh == "" {
		next.NextRefreshAt = time.Time{} // The access token is the last one of this chain.
	}
	if tokens.Half {
		state.Verdict = &Verdict{Reason: ReasonReplyLost, Fingerprint: record.Spent, Time: record.Reply.SentAt}
	}
	return next
}
