package rotation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// refusing is a shelf on which every write after the fence is refused, as by admission.
type refusing struct {
	*shelf
	// with is the error; nil refuses nothing.
	with    error
	refused int
	// looks is how often it was looked whether the owner is gone.
	looks int
	// after is told of each refusal.
	after func(refused int)
}

// Get finds no backup.
func (r *refusing) Get(ctx context.Context, ref Ref) (*Pair, error) {
	if ref == deviceOwner.BackupRef() {
		return nil, ErrNotFound
	}
	return r.shelf.Get(ctx, ref)
}

func (r *refusing) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	answer := r.with
	if answer == nil || isFence(current, next) {
		return r.shelf.Update(ctx, current, next)
	}
	r.refused++
	if r.after != nil {
		r.after(r.refused)
	}
	return nil, answer
}

func (r *refusing) Gone(ctx context.Context, owner Owner) (bool, error) {
	r.looks++
	return r.shelf.Gone(ctx, owner)
}

func isFence(current, next *Pair) bool {
	return next.Intent != nil && (current.Intent == nil || current.Intent.ID != next.Intent.ID)
}

// untimed is a clock by which nothing takes time.
type untimed struct {
	Clock

	slept []time.Duration
}

func (c *untimed) Sleep(_ context.Context, d time.Duration) error {
	c.slept = append(c.slept, d)
	return nil
}

// answers is GitHub with one answer to everything.
type answers struct {
	reply *github.Reply
	sent  int
	// onSend is told of each request. May be nil.
	onSend func()
}

func (a *answers) Exchange(context.Context, github.App, credential.RefreshToken) (*github.Reply, error) {
	a.sent++
	if a.onSend != nil {
		a.onSend()
	}
	return a.reply, nil
}

// newRefusal is a world with a due chain, whose API server refuses all writes but fences.
func newRefusal(reply string) (w *deviceWorld, store *refusing, gitHub *answers, clock *untimed) {
	w = newDeviceWorld()
	w.shelf.pair = brokenChain()
	w.shelf.edit(func(p *Pair) {
		p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_old"), credential.NewRefreshToken("ghr_old")
		p.State.Verdict, p.State.AccessToken, p.State.RefreshToken = nil, p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
	})
	store, gitHub, clock = &refusing{shelf: w.shelf, with: ErrDenied}, &answers{reply: said(reply)}, &untimed{Clock: SystemClock()}
	w.rotator.Store, w.rotator.Exchanger, w.rotator.Clock = store, gitHub, clock
	return w, store, gitHub, clock
}

// dueJob is the job of whoever finds the chain as it is.
func dueJob(w *deviceWorld) Job {
	action := ActionRefresh
	if w.shelf.pair.Intent != nil {
		action = ActionResolve
	}
	return Job{
		Owner: deviceOwner, Ref: w.shelf.pair.Ref, App: deviceApp, Pair: w.shelf.pair.Clone(),
		Decision: Decision{Action: action, Spends: w.shelf.pair.RefreshToken.Fingerprint()},
	}
}

const badToken = `{"error":"bad_refresh_token"}`

// What GitHub has refused is not sent again while that cannot be written down, and the place is not held for it.
func TestAVerdictThatCannotBeWrittenIsGivenUp(t *testing.T) {
	w, store, gitHub, clock := newRefusal(badToken)
	var told []Unwritten
	w.rotator.OnRetry = func(_ Owner, what Unwritten, _ error) { told = append(told, what) }
	for range 3 {
		result := w.rotator.Rotate(t.Context(), dueJob(w))
		if result.Outcome != Unrecorded || !errors.Is(result.Err, ErrDenied) || result.Pair == nil || !result.Pair.RefreshToken.IsZero() {
			t.Fatalf("%s: %v", result.Outcome, result.Err)
		}
		if live := w.shelf.pair; live.Intent == nil || live.State.Verdict != nil || len(w.box.records) != 0 {
			t.Fatalf("the intent is %v, %d records are kept", live.Intent, len(w.box.records))
		}
	}
	if gitHub.sent != 1 || store.refused != 3*verdictTries || len(clock.slept) != 3*(verdictTries-1) {
		t.Errorf("the token was sent %d times, %d writes were tried with %d pauses", gitHub.sent, store.refused, len(clock.slept))
	}
	for _, what := range told {
		if what != UnwrittenVerdict {
			t.Errorf("told of a %s", what)
		}
	}
	store.with = nil
	result := w.rotator.Rotate(t.Context(), dueJob(w))
	if result.Outcome != Rejected || result.Reason != ReasonRefreshTokenRejected || gitHub.sent != 1 || w.shelf.pair.Intent != nil {
		t.Errorf("%s (%s) after %d requests", result.Outcome, result.Reason, gitHub.sent)
	}
	if len(w.rotator.unrecorded) != 0 {
		t.Error("the refusal is still remembered")
	}
}

// replacing is a Store whose Secret is being replaced when it is first looked at after the request.
type replacing struct {
	*refusing
	away int
}

func (s *replacing) Get(ctx context.Context, ref Ref) (*Pair, error) {
	switch {
	case s.away == 0 || s.pair.Intent == nil:
		return s.refusing.Get(ctx, ref)
	case ref == deviceOwner.BackupRef():
		s.away--
		return s.pair.Clone(), nil
	default:
		return nil, ErrNotFound
	}
}

func TestAVerdictIsGivenUpAlthoughTheSecretWasBeingReplaced(t *testing.T) {
	w, store, _, clock := newRefusal(badToken)
	w.rotator.Store = &replacing{refusing: store, away: 1}
	store.after = func(refused int) {
		if refused > verdictTries {
			t.Fatal("it is tried without end")
		}
	}
	result := w.rotator.Rotate(t.Context(), dueJob(w))
	if result.Outcome != Unrecorded || store.refused != verdictTries || len(clock.slept) != verdictTries {
		t.Errorf("%s after %d refusals and %d pauses", result.Outcome, store.refused, len(clock.slept))
	}
}

// Somebody may have mended the Secret meanwhile: a refusal that waits is no verdict on what stands there then.
func TestARefusalThatWaitsIsNoVerdictOnAnotherToken(t *testing.T) {
	w, store, gitHub, _ := newRefusal(badToken)
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Unrecorded {
		t.Fatal(result.Outcome)
	}
	store.with, gitHub.reply = nil, said(pairReply)
	w.shelf.edit(func(p *Pair) {
		p.Intent, p.RefreshToken = nil, credential.NewRefreshToken("ghr_pasted")
		p.State.RefreshToken = p.RefreshToken.Fingerprint()
	})
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Committed || gitHub.sent != 2 {
		t.Errorf("%s: %v", result.Outcome, result.Err)
	}
}

// Another process knows nothing of the refusal. It resolves the intent like any other.
func TestAfterARestartARefusalIsFoundOutAnew(t *testing.T) {
	w, store, gitHub, _ := newRefusal(badToken)
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Unrecorded {
		t.Fatal(result.Outcome)
	}
	store.with = nil
	w.rotator.unrecorded, w.rotator.sent, w.rotator.Me.Process = nil, nil, "2"
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Rejected || gitHub.sent != 2 || w.shelf.pair.State.Verdict == nil {
		t.Errorf("%s: %v", result.Outcome, result.Err)
	}
}

// A received pair is tried to be stored until it is, or until a live look finds nobody left to store it for, whatever
// the API server answers to the writes.
func TestAReceivedPairIsGivenUpWhenItsOwnerIsGone(t *testing.T) {
	for _, answer := range []error{ErrDenied, ErrTerminating, ErrNotOwned, ErrImmutable, ErrConflict, ErrNotFound, errNoReply} {
		t.Run(answer.Error(), func(t *testing.T) {
			w, store, _, clock := newRefusal(pairReply)
			store.with = fmt.Errorf("%w: admission", answer)
			store.after = func(refused int) {
				switch {
				case len(w.box.records) != 1:
					t.Error("the pair is not in the outbox")
				case refused == 20:
					store.with = nil // The last answer of this kind.
				}
			}
			if errors.Is(answer, ErrImmutable) { // It is replaced, and somebody else's Secret has the backup's name.
				w.rotator.Store = immutable{store}
			}
			if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Committed || len(w.box.records) != 0 {
				t.Errorf("%s after %d refusals: %v", result.Outcome, store.refused, result.Err)
			}
			longest := time.Duration(0)
			for _, pause := range clock.slept {
				longest = max(longest, pause)
			}
			if longest > refusedBackoff.Max {
				t.Errorf("it was not tried again for %v", longest)
			}
		})
	}
	for _, answer := range []error{ErrDenied, ErrTerminating, ErrNotOwned} {
		w, store, _, _ := newRefusal(pairReply)
		store.with = answer
		store.after = func(refused int) { store.gone = refused == 5 }
		if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Discarded || store.refused != 5 || len(w.box.records) != 0 {
			t.Errorf("%v: %s after %d refusals: %v", answer, result.Outcome, store.refused, result.Err)
		}
	}
}

// immutable is a Store on which nobody can put a backup.
type immutable struct{ *refusing }

func (immutable) Create(context.Context, *Pair) (*Pair, error) { return nil, ErrNotOwned }

// noRoom is a Store in which no Secret can be made, as under a quota that is used up, and whose Secret is immutable.
type noRoom struct{ *refusing }

func (s noRoom) Update(context.Context, *Pair, *Pair) (*Pair, error) { return nil, ErrImmutable }

func (s noRoom) Create(context.Context, *Pair) (*Pair, error) {
	return nil, fmt.Errorf("%w: exceeded quota", ErrDenied)
}

func TestAnImmutableSecretThatCannotBeReplacedIsToldAsSuch(t *testing.T) {
	w, store, gitHub, _ := newRefusal(pairReply)
	w.shelf.pair.Immutable = true
	w.rotator.Store = noRoom{store}
	result := w.rotator.Rotate(t.Context(), dueJob(w))
	if result.Outcome != NotFenced || !errors.Is(result.Err, ErrDenied) || gitHub.sent != 0 {
		t.Errorf("%s after %d requests: %v", result.Outcome, gitHub.sent, result.Err)
	}
}

// deleted is a Store whose Secret somebody has deleted, which our finalizer holds.
type deleted struct{ *refusing }

func (s deleted) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	stored, err := s.refusing.Update(ctx, current, next)
	if err == nil {
		stored.Deleting = true
	}
	return stored, err
}

// Somebody has deleted the Secret, and it cannot be put back: an exchange that was decided on with that in sight goes on.
func TestAPairIsExchangedInADeletedSecretWhenThatIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		known bool
		want  Outcome
	}{"when it is known": {true, Committed}, "not when it is found out": {false, Stale}} {
		t.Run(name, func(t *testing.T) {
			w, store, gitHub, _ := newRefusal(pairReply)
			store.with = nil
			w.rotator.Store = deleted{store}
			job := dueJob(w)
			job.Pair.Deleting = c.known
			result := w.rotator.Rotate(t.Context(), job)
			if result.Outcome != c.want || (gitHub.sent == 1) != c.known {
				t.Errorf("%s after %d requests: %v", result.Outcome, gitHub.sent, result.Err)
			}
		})
	}
}

func TestTheRefusalAfterADeadAccessTokenIsARevocation(t *testing.T) {
	pair := goodChain()
	pair.Intent = &Intent{ID: "1", Spends: pair.State.RefreshToken}
	for ended, want := range map[bool]string{true: ReasonRevoked, false: ReasonRefreshTokenRejected} {
		pair.State.AccessTokenEnded = ended
		next, reason := pairCondemned(pair, finding{spent: pair.State.RefreshToken, intentID: "1"}, deviceNow)
		if reason != want || next.State.Verdict.Reason != want || next.State.AccessTokenEnded != ended {
			t.Errorf("ended %t: %s, %+v", ended, reason, next.State)
		}
	}
}

func goodChain() *Pair {
	pair := brokenChain()
	pair.State.Verdict = nil
	pair.NextRefreshAt = deviceNow.Add(5 * time.Hour)
	return pair
}
