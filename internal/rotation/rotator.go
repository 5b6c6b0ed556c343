package rotation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/atwork"
)

const (
	// FenceTimeout is how long the fence may take before the exchange is given up unsent.
	FenceTimeout = 10 * time.Second
	// ExchangeTimeout is how long the exchange may take once the fence stands.
	ExchangeTimeout = 20 * time.Second
)

// Rotator carries out what Decide decided. One Rotator serves all resources of a process; the caller sees
// to it that it works on each resource once at a time.
type Rotator struct {
	Store     Store
	Exchanger Exchanger
	// Redeemer may be nil when there are no logins by the web flow.
	Redeemer Redeemer
	Outbox   Outbox
	Clock    Clock
	Me       Holder
	// NewID makes an id for an intent.
	NewID func() string
	// Poller asks about device authorizations, and Codes keeps their device codes. May be nil when there are none.
	Poller Poller
	Codes  Codes
	// Admit says whose a pair is, and whether that is the account that the resource asks for. It is called for
	// the first pair of a login when the resource names an account, and may take its time: the pair is in the
	// outbox. Errors: ErrWrongUser, ErrUserUnknown, ErrPairDead or ErrOwnerGone; with any of them the pair is not stored.
	Admit func(ctx context.Context, app github.App, record Record, tokens github.Tokens) (*User, error)
	// End ends a pair at GitHub that Admit did not let in. May be nil.
	End func(ctx context.Context, app github.App, record Record, tokens github.Tokens)
	// Confirm is asked when the fence of a login stands, before its token is sent: whether nobody else has it. It returns
	// before its context ends. Errors: ErrTokenInUse, or that it could not be found out. May be nil: nobody has.
	Confirm func(ctx context.Context, job Job, fenced *Pair) error
	// OnRetry is told each time that something could not be written yet after an exchange. May be nil.
	OnRetry func(owner Owner, what Unwritten, err error)

	mu sync.Mutex
	// sent holds, for each owner's UID, the id of the last intent of this process under which a token was sent
	// and may have been exchanged.
	sent map[string]string
	// altered holds, for each owner's UID, the last fence that admission has altered.
	altered map[string]unsent
	// atWork are the tokens with which this process is at work right now, by the ids of the intents.
	atWork atwork.Set
	// unrecorded holds, for each owner's UID, a refusal of GitHub that could not be written down; see record.
	unrecorded map[string]refusal
}

// Errors of Rotator.Admit.
var (
	// ErrWrongUser: the pair belongs to another account than the one that the resource names.
	ErrWrongUser = errors.New("the token belongs to another account")
	// ErrUserUnknown: GitHub did not say in time whose the pair is.
	ErrUserUnknown = errors.New("GitHub did not say in time whose the token is")
	// ErrPairDead: the pair was revoked before anybody could learn whose it was.
	ErrPairDead = errors.New("the token was revoked before it could be stored")
)

// Job is one decision to be carried out.
type Job struct {
	Owner  Owner
	Ref    Ref
	App    github.App
	Policy Policy
	// RefreshRequestedAt is the value of the annotation that the exchange honours.
	RefreshRequestedAt string
	// Publication is that of the pair that comes of it; see State.
	Publication int64
	// User is the account that a new login must belong to; nil when any will do.
	User *UserPin
	// Pair is the metadata that the decision was made on; nil when there must be no Secret yet.
	Pair *Pair
	// Decision is what to do. It must be one that exchanges.
	Decision Decision
	// Seed is the token of a login as the seed holds it now. It is empty where the pair Secret holds what is spent.
	Seed credential.RefreshToken
	// SeedVersion is the version of the seed Secret that was examined.
	SeedVersion string
	// Code is the code of the web flow that is redeemed, with what is sent beside it, and Attempt the ID of the attempt that it is
	// of. They are empty when a token is exchanged.
	Code    github.Redemption
	Attempt string
	// Labels and Annotations are the extra metadata of a pair Secret that is created.
	Labels      map[string]string
	Annotations map[string]string
}

// isLogin reports whether the job exchanges the token of a new login, and not the chain's own. The decision tells, and
// what was known of the pair when it was made: anybody may put the same token under two keys of the Secret.
func (j *Job) isLogin() bool {
	if j.Decision.Action == ActionImport || !j.Seed.IsZero() || j.redeems() {
		return true
	}
	return j.Pair != nil && j.Decision.Spends == j.Pair.State.PendingSeed && j.Decision.Spends != j.Pair.State.RefreshToken
}

// redeems reports whether the job redeems a code.
func (j *Job) redeems() bool { return j.Attempt != "" }

// mayRedeem reports whether the job's code may be sent: it is of the attempt that waits, and is no login that was sent before.
func (j *Job) mayRedeem(now time.Time) bool {
	state := &j.Pair.State
	return state.Web.IsWaiting(now) && state.Web.ID == j.Attempt && state.Web.App == j.App.Key() && j.Code.Code.Fingerprint() == j.Decision.Spends &&
		!state.HasHeardOf(j.Decision.Spends)
}

// token is what the job spends: the token in the seed, or the one in the Secret as it was fenced.
func (j *Job) token(fenced *Pair) (credential.RefreshToken, bool) {
	if !j.Seed.IsZero() || j.redeems() {
		return j.Seed, true
	}
	return fenced.token(j.Decision.Spends)
}

// Outcome is what became of a job.
type Outcome string

const (
	// Committed: a new pair was received and is stored.
	Committed Outcome = "Committed"
	// Superseded: somebody else's pair is stored, and it stays.
	Superseded Outcome = "Superseded"
	// Stale: the Secret was not as the decision thought; nothing was exchanged. Decide again.
	Stale Outcome = "Stale"
	// NotFenced: the intent could not be written, so nothing was exchanged.
	NotFenced Outcome = "NotFenced"
	// NoOutbox: a pair could not have been kept safe, so nothing was exchanged.
	NoOutbox Outcome = "NoOutbox"
	// Untouched: GitHub did not exchange the token, which is as good as before.
	Untouched Outcome = "Untouched"
	// Unknown: nobody knows whether GitHub exchanged the token. The intent stays.
	Unknown Outcome = "Unknown"
	// Rejected: GitHub refused the token, and the stored one is still this one.
	Rejected Outcome = "Rejected"
	// Unrecorded: GitHub refused the token, and the verdict could not be written. The intent stays, and the verdict is
	// written before the token is presented again.
	Unrecorded Outcome = "Unrecorded"
	// WrongUser: the pair belongs to another account and was not stored.
	WrongUser Outcome = "WrongUser"
	// Discarded: a pair was received, but its resource or namespace is gone.
	Discarded Outcome = "Discarded"
)

// Result is the outcome of a job with its circumstances.
type Result struct {
	Outcome Outcome
	// Pair is the Secret as it was last seen; nil when it was not.
	Pair *Pair
	// Err says why, for every outcome but Committed and Superseded. It is a *github.Error for Untouched,
	// Unknown and Rejected, and the Store's for Unrecorded.
	Err error
	// Reason is the verdict's reason when Outcome is Rejected.
	Reason string
	// OutboxErr says that the reply could not be kept, or its record not be removed.
	OutboxErr error
	// Resolved says that the outcome of an earlier exchange was unknown until now.
	Resolved bool
	// Pause is for how long GitHub asks that the App send nothing more: a success can be the last request that
	// a rate limit allows.
	Pause time.Duration
	// Conflicts counts the writes of the commit that met somebody else's.
	Conflicts int
	// ExchangeDuration and CommitDuration are zero when there was no exchange or commit.
	ExchangeDuration time.Duration
	CommitDuration   time.Duration
}

// Rotate carries out a job that exchanges: fence, exchange, keep, commit. Once the exchange has begun
// neither ctx nor anything else cancels it; only its own deadline ends it. The deadline is counted from
// the beginning of the fence, because others wait that long before they touch the token.
func (r *Rotator) Rotate(ctx context.Context, job Job) Result {
	if !job.Seed.IsZero() && job.Seed.Fingerprint() != job.Decision.Spends {
		return Result{Outcome: Stale, Pair: job.Pair, Err: errors.New("the seed holds another token by now")}
	}
	if job.redeems() && (job.Pair == nil || !job.mayRedeem(r.Clock.Now())) {
		return Result{Outcome: Stale, Pair: job.Pair, Err: errors.New("no code of this login is waited for any more")}
	}
	if refused, left := r.unrecordedFor(job); left {
		return r.record(ctx, job.Owner, job.Ref, refused)
	}
	if err := r.Outbox.Reserve(job.Owner); err != nil {
		return Result{Outcome: NoOutbox, Err: err}
	}
	defer r.Outbox.Release(job.Owner)
	began := r.Clock.Monotonic()
	intent := r.intent(job)
	defer r.atWork.Begin(intent.ID, intent.Spends)()
	fenced, failed := r.fence(ctx, job, intent)
	if failed == nil {
		failed = r.confirm(ctx, job, fenced, began)
	}
	if failed != nil {
		if errors.Is(failed.Err, ErrAltered) {
			failed.Outcome = NotFenced // To decide again would change nothing.
		}
		return *failed
	}
	if r.Clock.Monotonic()-began >= FenceTimeout {
		return Result{Outcome: NotFenced, Pair: fenced, Err: errors.New("the API server took too long to accept the fence")}
	}
	token, _ := job.token(fenced)
	result := r.exchange(ctx, job, fenced, token, IntentTimeout-(r.Clock.Monotonic()-began))
	result.Resolved = fenced.Intent.Unresolved > 0 && result.Outcome != Unknown
	return result
}

// exchange is steps 2 to 4. It is called with the fence up and must not be entered without one.
func (r *Rotator) exchange(ctx context.Context, job Job, fenced *Pair, token credential.RefreshToken, within time.Duration) Result {
	ctx = context.WithoutCancel(ctx)
	sending, cancel := r.Clock.WithTimeout(ctx, within)
	defer cancel()
	began := r.Clock.Monotonic()
	r.markSent(job.Owner, fenced.Intent)
	reply, err := r.send(sending, job, token)
	took := r.Clock.Monotonic() - began
	if err != nil {
		result := r.settle(ctx, job, fenced, err)
		result.ExchangeDuration = took
		return result
	}
	result := r.Accept(ctx, job, fenced, Record{
		ID: fenced.Intent.ID, Ref: fenced.Ref, Owner: job.Owner, App: job.App.Key(),
		Spent: fenced.Intent.Spends, Login: job.isLogin(), Attempt: job.Attempt, SecretUID: fenced.UID, Base: fenced.State,
		SeedVersion: fenced.State.SeedVersion, RefreshRequestedAt: job.RefreshRequestedAt, Publication: job.Publication, User: job.User, Reply: reply,
	})
	result.ExchangeDuration = took
	if reply.RateLimited {
		result.Pause = reply.RetryAfter
	}
	return result
}

// send makes the one request that spends what the job is about.
func (r *Rotator) send(ctx context.Context, job Job, token credential.RefreshToken) (*github.Reply, error) {
	if job.redeems() {
		return r.Redeemer.RedeemCode(ctx, job.App, job.Code)
	}
	return r.Exchanger.Exchange(ctx, job.App, token)
}

// Accept takes a reply that reached us: it keeps it, looks into it, and commits the pair. The Secret is
// given as it was at the fence.
func (r *Rotator) Accept(ctx context.Context, job Job, fenced *Pair, record Record) Result {
	// An outbox that was ready and fails now leaves the pair in memory only. Going on to the commit is the
	// best that can be done with it.
	keepErr := r.Outbox.Keep(record)
	var result Result
	switch tokens, err := record.Reply.Tokens(); {
	case err == nil:
		result = r.store(ctx, job.App, job.Policy, record, tokens, fenced)
	case record.endsChain() && !tokens.AccessToken.IsZero():
		result = r.storeHalf(ctx, job.App, job.Policy, record, tokens, fenced, err)
	case record.Code:
		result = r.settlePoll(ctx, fenced, err)
	default:
		result = r.settle(ctx, job, fenced, err)
	}
	result.OutboxErr = errors.Join(keepErr, r.Outbox.Remove(record.ID))
	return result
}

// store admits and commits a pair. It returns only when the pair is safe or nobody wants it any more.
func (r *Rotator) store(ctx context.Context, app github.App, policy Policy, record Record, tokens github.Tokens, live *Pair) Result {
	if record.Login && record.User != nil && r.Admit != nil {
		user, err := r.Admit(ctx, app, record, tokens)
		if err != nil {
			return r.refuse(ctx, app, record, tokens, err)
		}
		record.Identity = user
	}
	return r.commit(ctx, policy, record, tokens, live)
}

// endsChain reports whether there is no chain that goes on when no refresh token has come: that of an older login does.
func (r *Record) endsChain() bool {
	return r.Base.RefreshToken == r.Spent || r.Base.RefreshToken == ""
}

// storeHalf stores the new access token of a reply that was cut off before its refresh token. GitHub has ended the
// old pair, so the access token is all that is left: it is good until it expires, and a person must log in by then.
func (r *Rotator) storeHalf(ctx context.Context, app github.App, policy Policy, record Record, tokens github.Tokens, live *Pair, cut error) Result {
	result := r.store(ctx, app, policy, record, tokens, live)
	if result.Outcome == Committed {
		result.Outcome, result.Reason, result.Err = Rejected, ReasonReplyLost, cut
	}
	return result
}

// refuse deals with a pair that Admit did not let in. The verdict is written before the pair is ended: after
// a crash in between the record in the outbox leads here again, and a pair that was ended then would look
// like one that somebody else has revoked.
func (r *Rotator) refuse(ctx context.Context, app github.App, record Record, tokens github.Tokens, err error) Result {
	result, reason := Result{Outcome: Rejected, Err: err}, ReasonRevoked
	switch {
	case errors.Is(err, ErrOwnerGone):
		result.Outcome = Discarded
	case errors.Is(err, ErrWrongUser):
		result.Outcome, reason = WrongUser, ReasonWrongUser
	case errors.Is(err, ErrUserUnknown):
		reason = ReasonUserUnknown
	}
	if result.Outcome != Discarded {
		result, _ = r.condemn(ctx, record.Owner, record.Ref, &finding{
			reason: reason, spent: record.Spent, app: record.App, intentID: record.ID, code: record.Code, attempt: record.Attempt,
		}, result, UnwrittenRefusal)
	}
	if r.End != nil {
		r.End(ctx, app, record, tokens)
	}
	return result
}

// markSent notes that a token is about to be sent under an intent.
func (r *Rotator) markSent(owner Owner, intent *Intent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent == nil {
		r.sent = map[string]string{}
	}
	r.sent[owner.UID] = intent.ID
	delete(r.altered, owner.UID) // The fence that stands now says all.
}

// markUntouched notes that the token that was sent under an intent was not exchanged.
func (r *Rotator) markUntouched(owner Owner, intent *Intent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent[owner.UID] == intent.ID {
		delete(r.sent, owner.UID)
	}
}

// isUntouched reports whether an intent is known not to have touched its token: it is of this very process,
// and nothing was sent under it, or nothing came of what was sent.
func (r *Rotator) isUntouched(owner Owner, intent *Intent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return intent.Holder == r.Me && r.sent[owner.UID] != intent.ID
}

// IsUntouched reports whether it is known that nothing came of an intent: this process has written it and sent nothing under
// it, or GitHub has not looked at what was sent.
func (r *Rotator) IsUntouched(owner Owner, intent *Intent) bool {
	return intent != nil && r.isUntouched(owner, intent) && !r.AtWork(intent)
}

// Forget drops what is remembered of a resource that is gone.
func (r *Rotator) Forget(owner Owner) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sent, owner.UID)
	delete(r.altered, owner.UID)
	delete(r.unrecorded, owner.UID)
}
