package rotation

import (
	"context"
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// dataOf is what Reloader and the like see of a pair Secret.
func dataOf(p *Pair) [5]string {
	return [5]string{p.AccessToken.Reveal(), p.RefreshToken.Reveal(), p.TokenType, p.SeedToken.Reveal(), p.DeviceCode.Reveal()}
}

// recorded is a Store of one Secret that takes down each change of its data.
type recorded struct {
	*shelf

	changes int
}

func (r *recorded) Create(ctx context.Context, pair *Pair) (*Pair, error) {
	return r.written([5]string{}, func() (*Pair, error) { return r.shelf.Create(ctx, pair) })
}

func (r *recorded) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	if r.pair == nil {
		return r.shelf.Update(ctx, current, next)
	}
	written := r.pair.Clone() // A patch: what the writer did not know stays.
	for _, key := range []struct{ stored, was, is *credential.RefreshToken }{
		{&written.RefreshToken, &current.RefreshToken, &next.RefreshToken}, {&written.SeedToken, &current.SeedToken, &next.SeedToken},
	} {
		if *key.was != *key.is {
			*key.stored = *key.is
		}
	}
	if current.AccessToken != next.AccessToken {
		written.AccessToken = next.AccessToken
	}
	if current.DeviceCode != next.DeviceCode {
		written.DeviceCode = next.DeviceCode
	}
	if current.TokenType != next.TokenType {
		written.TokenType = next.TokenType
	}
	written.State, written.Intent, written.NextRefreshAt = next.State, next.Intent, next.NextRefreshAt
	written.Controlled, written.Orphan, written.Owner = next.Controlled, next.Orphan, next.Owner
	return r.written(dataOf(r.pair), func() (*Pair, error) { return r.shelf.Update(ctx, current, written) })
}

func (r *recorded) written(before [5]string, write func() (*Pair, error)) (*Pair, error) {
	stored, err := write()
	if r.pair != nil && dataOf(r.pair) != before {
		r.changes++
	}
	return stored, err
}

var theSeed = credential.NewRefreshToken("ghr_seed")

// newLogin is a world in which GitHub gives one answer, and whose store takes down changes of the data.
func newLogin(pair *Pair, body string) (*deviceWorld, *recorded, *answers) {
	w := newDeviceWorld()
	if pair != nil {
		_, _ = w.shelf.put(pair)
	}
	store, gitHub := &recorded{shelf: w.shelf}, &answers{reply: said(body)}
	w.rotator.Store, w.rotator.Exchanger = store, gitHub
	return w, store, gitHub
}

// importing is the job of whoever finds the seed with a token.
func importing(w *deviceWorld) Job {
	job := Job{
		Owner: deviceOwner, Ref: brokenChain().Ref, App: deviceApp, Seed: theSeed, SeedVersion: "seed/key@uid/2",
		Decision: Decision{Action: ActionImport, Cause: CauseNewSeed, Spends: theSeed.Fingerprint()},
	}
	if w.shelf.pair != nil {
		job.Pair = w.shelf.pair.WithoutTokens()
	}
	return job
}

func TestLoginFromTheSeedChangesTheDataOnceForItsPair(t *testing.T) {
	for name, c := range map[string]struct {
		pair    *Pair
		reply   string
		outcome Outcome
		changes int
	}{
		"the first login":                    {nil, pairReply, Committed, 1},
		"a login beside a chain":             {goodChain(), pairReply, Committed, 1},
		"a first login that is refused":      {nil, badToken, Rejected, 0},
		"one that is refused beside a chain": {goodChain(), badToken, Rejected, 0},
		"one of which no answer is known":    {goodChain(), `<html>`, Unknown, 0},
		"one that GitHub did not look at":    {goodChain(), `{"error":"incorrect_client_credentials"}`, Untouched, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, store, gitHub := newLogin(c.pair, c.reply)
			gitHub.onSend = func() {
				live := w.shelf.pair
				if live.LoginFromSeed() != theSeed.Fingerprint() || live.State.PendingSeed != theSeed.Fingerprint() || !live.SeedToken.IsZero() {
					t.Errorf("the fence says %+v, with intent %+v", live.State, live.Intent)
				}
			}
			result := w.rotator.Rotate(t.Context(), importing(w))
			live := w.shelf.pair
			if result.Outcome != c.outcome || store.changes != c.changes || gitHub.sent != 1 {
				t.Errorf("%s (%v): the data were changed %d times, and %d tokens were sent", result.Outcome, result.Err, store.changes, gitHub.sent)
			}
			if left := c.outcome == Unknown; left != (live.State.PendingSeed != "") || left != (live.Intent != nil) {
				t.Errorf("what is left is %+v, with intent %+v", live.State, live.Intent)
			}
			if again := c.outcome == Untouched; again && (live.State.SeedVersion != "" || live.State.KnowsSeed(theSeed.Fingerprint(), deviceApp.Key())) {
				t.Error("the seed would not be looked at again")
			}
		})
	}
}

func TestLoginThatTheSeedHoldsNoLongerIsNotSent(t *testing.T) {
	w, _, gitHub := newLogin(goodChain(), pairReply)
	job := importing(w)
	job.Seed = credential.NewRefreshToken("ghr_another")
	if result := w.rotator.Rotate(t.Context(), job); result.Outcome != Stale || gitHub.sent != 0 || w.shelf.version != 1 {
		t.Errorf("%s: %d were sent, after %d writes", result.Outcome, gitHub.sent, w.shelf.version)
	}
}

func TestLoginWhoseFenceWasStoredAndItsReplyLostGoesOn(t *testing.T) {
	for _, pair := range []*Pair{nil, goodChain()} {
		w, store, _ := newLogin(pair, pairReply)
		job := importing(w)
		w.shelf.lose = true
		if result := w.rotator.Rotate(t.Context(), job); result.Outcome != Committed || store.changes != 1 {
			t.Errorf("%s: %v, after %d changes", result.Outcome, result.Err, store.changes)
		}
	}
}

// The exchange has an unknown outcome, and the token is presented again as long as the seed holds it.
func TestLoginOfUnknownOutcomeIsPresentedAgainFromTheSeed(t *testing.T) {
	for reply, want := range map[string]string{pairReply: "", badToken: ReasonReplyLost} {
		w, store, gitHub := newLogin(goodChain(), `<html>`)
		if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Unknown {
			t.Fatal(result.Outcome)
		}
		gitHub.reply = said(reply)
		job := importing(w)
		job.Decision = Decision{Action: ActionResolve, Cause: CauseIntent, Spends: theSeed.Fingerprint()}
		gitHub.onSend = func() {
			if live := w.shelf.pair; live.Intent.Unresolved != 1 || live.LoginFromSeed() == "" {
				t.Errorf("the intent is %+v", live.Intent)
			}
		}
		result := w.rotator.Rotate(t.Context(), job)
		if result.Reason != want || !result.Resolved || gitHub.sent != 2 {
			t.Errorf("%s, %s", result.Outcome, result.Reason)
		}
		if committed := want == ""; committed != (store.changes == 1) || committed != w.shelf.pair.State.HasImported(theSeed.Fingerprint()) {
			t.Errorf("the data were changed %d times: %+v", store.changes, w.shelf.pair.State)
		}
	}
}

func TestLoginIsGivenUp(t *testing.T) {
	left := func(t *testing.T, pair *Pair) (*deviceWorld, *recorded, *answers) {
		t.Helper()
		w, store, gitHub := newLogin(pair, `<html>`)
		if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Unknown {
			t.Fatal(result.Outcome)
		}
		return w, store, gitHub
	}
	t.Run("the chain goes on, and the token that comes back counts as tried", func(t *testing.T) {
		w, store, gitHub := left(t, goodChain())
		if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); err != nil {
			t.Fatal(err)
		}
		live := w.shelf.pair
		if verdict := live.State.SeedVerdict; live.Intent != nil || live.State.PendingSeed != "" || live.State.Verdict != nil || verdict == nil || verdict.Reason != ReasonOutcomeUnknown {
			t.Errorf("what is left is %+v, with intent %+v", live.State, live.Intent)
		}
		if live.State.KnowsSeed(theSeed.Fingerprint(), deviceApp.Key()) || live.State.SeedVersion != "" || store.changes != 0 {
			t.Error("the seed would not be imported if it came back, or the data were changed")
		}
		gitHub.reply = said(badToken)
		if result := w.rotator.Rotate(t.Context(), importing(w)); result.Reason != ReasonReplyLost {
			t.Errorf("it is refused: %s, %s", result.Outcome, result.Reason)
		}
	})
	t.Run("without a chain nothing is said of it but that there is none", func(t *testing.T) {
		w, _, _ := left(t, nil)
		if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); err != nil {
			t.Fatal(err)
		}
		if state := w.shelf.pair.State; state.Verdict != nil || state.SeedVerdict != nil || !state.Unanswered.Has(theSeed.Fingerprint()) {
			t.Errorf("it is said: %+v", state)
		}
	})
	t.Run("a pair that was received is committed all the same", func(t *testing.T) {
		w, store, _ := left(t, goodChain())
		record := Record{
			ID: "1", Ref: w.shelf.pair.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: theSeed.Fingerprint(), Login: true,
			SecretUID: "secret", Base: w.shelf.pair.State, Reply: said(pairReply),
		}
		if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); err != nil {
			t.Fatal(err)
		}
		if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed || w.shelf.pair.RefreshToken.Reveal() != "ghr_new" || store.changes != 1 {
			t.Errorf("the outcome is %s", result.Outcome)
		}
		if w.shelf.pair.State.SeedVerdict != nil {
			t.Error("it is still said that nobody knows")
		}
	})
	t.Run("one under whose fence nothing was sent leaves no doubt", func(t *testing.T) {
		w, _, _ := newLogin(goodChain(), pairReply)
		w.rotator.Confirm = func(context.Context, Job, *Pair) error { return errNoReply }
		if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != NotFenced {
			t.Fatal(result.Outcome)
		}
		if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); err != nil {
			t.Fatal(err)
		}
		if state := w.shelf.pair.State; state.Unanswered.Has(theSeed.Fingerprint()) || state.SeedVerdict != nil {
			t.Errorf("it is said: %+v", state)
		}
	})
	t.Run("nothing is written over what somebody else has written", func(t *testing.T) {
		w, _, _ := left(t, goodChain())
		seen := w.shelf.pair.WithoutTokens()
		for _, change := range []func(*Pair){func(p *Pair) { p.Intent.ID = "other" }, func(p *Pair) { p.Intent = nil }, func(p *Pair) { p.Controlled = false }} {
			stored := w.shelf.pair.Clone()
			w.shelf.edit(change)
			version := w.shelf.version
			if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, seen); !errors.Is(err, ErrConflict) || w.shelf.version != version {
				t.Errorf("the error is %v", err)
			}
			w.shelf.pair = stored
		}
	})
	t.Run("a refusal that could not be written yet is written", func(t *testing.T) {
		w, store, gitHub, _ := newRefusal(badToken)
		if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Unrecorded || gitHub.sent != 1 {
			t.Fatal(result.Outcome)
		}
		store.with = nil
		if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); err != nil {
			t.Fatal(err)
		}
		if verdict := w.shelf.pair.State.SeedVerdict; verdict == nil || verdict.Reason != ReasonRefreshTokenRejected || w.shelf.pair.Intent != nil {
			t.Errorf("the verdict is %+v", verdict)
		}
	})
}

// An earlier version has put the token of a login into the pair Secret. It is taken from there, and the key goes with the
// write that stores its pair.
func TestLoginThatAnEarlierVersionHasFencedGoesOn(t *testing.T) {
	fenced := func(pair *Pair) *Pair {
		pair.SeedToken, pair.State.PendingSeed, pair.State.SeedVersion = theSeed, theSeed.Fingerprint(), "seed/key@uid/2"
		pair.Intent = &Intent{ID: "former", Holder: Holder{Process: "former"}, Spends: theSeed.Fingerprint(), App: deviceApp.Key()}
		return pair
	}
	first := func() *Pair {
		pair := brokenChain()
		pair.AccessToken, pair.RefreshToken = credential.AccessToken{}, credential.RefreshToken{}
		pair.State = State{Owner: "uid", OwnerName: "octocat", App: deviceApp.Key()}
		return pair
	}
	for name, pair := range map[string]*Pair{"beside a chain": fenced(goodChain()), "a first login": fenced(first())} {
		for reply, changes := range map[string]int{pairReply: 1, badToken: 0} {
			t.Run(name, func(t *testing.T) {
				w, store, gitHub := newLogin(pair.Clone(), reply)
				job := importing(w)
				job.Seed, job.SeedVersion = credential.RefreshToken{}, ""
				job.Decision = Decision{Action: ActionResolve, Cause: CauseIntent, Spends: theSeed.Fingerprint()}
				result := w.rotator.Rotate(t.Context(), job)
				live := w.shelf.pair
				if gitHub.sent != 1 || store.changes != changes || live.Intent != nil || live.State.PendingSeed != "" {
					t.Fatalf("%s (%v): %d were sent, after %d changes: %+v", result.Outcome, result.Err, gitHub.sent, store.changes, live.State)
				}
				if committed := changes == 1; committed != live.SeedToken.IsZero() || committed != live.State.HasImported(theSeed.Fingerprint()) {
					t.Errorf("the key is left: %t", !live.SeedToken.IsZero())
				}
				taken, err := w.rotator.TakeUp(t.Context(), deviceOwner, live.Clone())
				if err != nil || taken.Version != live.Version {
					t.Errorf("what is left there counts as a login: %+v, %v", taken.State, err)
				}
			})
		}
	}
}

// What an earlier version has left in the data goes with the next pair, whatever it was got for.
func TestLeftoversGoWithTheNextPair(t *testing.T) {
	pair := goodChain()
	pair.SeedToken, pair.DeviceCode = theSeed, deviceCode
	pair.State.Seeds = append(pair.State.Seeds, SeedRecord{Fingerprint: theSeed.Fingerprint(), RefusedFor: deviceApp.Key()})
	w, store, _ := newLogin(pair, pairReply)
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Committed || store.changes != 1 {
		t.Errorf("%s, after %d changes", result.Outcome, store.changes)
	}
	if live := w.shelf.pair; !live.SeedToken.IsZero() || !live.DeviceCode.IsZero() || live.RefreshToken.Reveal() != "ghr_new" {
		t.Error("something is left")
	}
}

func TestADeviceCodeOfAnEarlierVersionIsPolled(t *testing.T) {
	pair := brokenChain()
	pair.DeviceCode, pair.State.Device = deviceCode, new(anOffer(deviceCode))
	w, store, _ := newLogin(pair, pairReply)
	w.page.reply = said(pairReply)
	if result := w.rotator.Poll(t.Context(), w.job(w.shelf.pair)); result.Outcome != Committed || store.changes != 1 {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	if live := w.shelf.pair; !live.DeviceCode.IsZero() || live.State.Device != nil || live.RefreshToken.Reveal() != "ghr_new" {
		t.Error("the code is left")
	}
}

// A token that is pasted during the exchange of a login is kept beside its pair, and imported next with one change more.
func TestLoginThatIsPastedDuringAnotherIsNext(t *testing.T) {
	pasted := credential.NewRefreshToken("ghr_pasted")
	for name, paste := range map[string]func(*Pair){
		"over the chain's token":  func(p *Pair) { p.RefreshToken = pasted },
		"under the key of logins": func(p *Pair) { p.SeedToken = pasted },
	} {
		t.Run(name, func(t *testing.T) {
			w, store, gitHub := newLogin(goodChain(), pairReply)
			gitHub.onSend = func() { w.shelf.edit(paste) }
			if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Committed {
				t.Fatalf("%s: %v", result.Outcome, result.Err)
			}
			if live := w.shelf.pair; live.SeedToken != pasted || live.State.PendingSeed != pasted.Fingerprint() || store.changes != 1 {
				t.Fatalf("it is not kept: %+v", live.State)
			}
			gitHub.onSend, gitHub.reply = nil, said(`{"access_token":"ghu_newer","refresh_token":"ghr_newer","expires_in":28800}`)
			job := importing(w)
			job.Seed, job.SeedVersion, job.Decision.Spends = credential.RefreshToken{}, "", pasted.Fingerprint()
			if result := w.rotator.Rotate(t.Context(), job); result.Outcome != Committed || store.changes != 2 || !w.shelf.pair.SeedToken.IsZero() {
				t.Errorf("%s: %v, after %d changes", result.Outcome, result.Err, store.changes)
			}
		})
	}
}

// Admission, or a hand, has taken the state away while a login is being imported: the intent names it.
func TestLoginIsKnownByItsIntentWhenTheStateIsGone(t *testing.T) {
	w, _, gitHub := newLogin(goodChain(), `<html>`)
	if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Unknown {
		t.Fatal(result.Outcome)
	}
	w.shelf.edit(func(p *Pair) { p.State = guessed(p) })
	live, err := w.rotator.TakeUp(t.Context(), deviceOwner, w.shelf.pair.Clone())
	if err != nil || live.State.PendingSeed != theSeed.Fingerprint() || live.LoginFromSeed() != theSeed.Fingerprint() {
		t.Fatalf("it is forgotten: %+v, %v", live.State, err)
	}
	gitHub.reply = said(badToken)
	job := importing(w)
	job.Decision = Decision{Action: ActionResolve, Cause: CauseIntent, Spends: theSeed.Fingerprint()}
	if result := w.rotator.Rotate(t.Context(), job); result.Reason != ReasonReplyLost || w.shelf.pair.State.Verdict != nil {
		t.Errorf("%s, %s: %+v", result.Outcome, result.Reason, w.shelf.pair.State)
	}
}

// A login by a device code is committed while a refused seed is presented for the second time, and takes its verdict away.
// The record of the refusal is left: there is no third time.
func TestARefusedLoginIsNotPresentedAThirdTime(t *testing.T) {
	w, _, gitHub := newLogin(goodChain(), badToken)
	if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Rejected || w.shelf.pair.State.SeedVerdict.AgainAt.IsZero() {
		t.Fatalf("%s: %+v", result.Outcome, w.shelf.pair.State.SeedVerdict)
	}
	job := importing(w)
	job.Decision.Cause = CauseAgain
	stored := w.offer(t, w.shelf.pair.Clone())
	job.Pair = stored.WithoutTokens()
	gitHub.onSend = func() {
		w.page.reply = said(`{"access_token":"ghu_code","refresh_token":"ghr_code","expires_in":28800}`)
		second := &Rotator{Store: w.shelf, Codes: w.codes, Outbox: &box{}, Clock: SystemClock(), Poller: w.page, NewID: func() string { return "second" }}
		if result := second.Poll(t.Context(), w.job(stored)); result.Outcome != Committed {
			t.Errorf("the code brought %s: %v", result.Outcome, result.Err)
		}
	}
	result := w.rotator.Rotate(t.Context(), job)
	if verdict := w.shelf.pair.State.SeedVerdict; result.Outcome != Rejected || verdict == nil || !verdict.AgainAt.IsZero() || w.shelf.pair.RefreshToken.Reveal() != "ghr_code" {
		t.Errorf("%s: the verdict is %+v", result.Outcome, verdict)
	}
}

// What was under way when a copy was made is not under way in the copy, and the data stay as they are.
func TestLoginOfACopyIsTriedAgainOnlyFromTheSeed(t *testing.T) {
	waiting := credential.NewRefreshToken("ghr_waiting")
	pair := goodChain()
	pair.SeedToken = waiting
	pair.Intent = &Intent{ID: "1", Spends: theSeed.Fingerprint(), Login: true}
	pair.State.PendingSeed = theSeed.Fingerprint()
	data := dataOf(pair)
	pair.ForgetLogin()
	if dataOf(pair) != data || pair.Intent != nil || pair.State.PendingSeed != "" || pair.login() != "" {
		t.Errorf("it is still being imported: %+v", pair.State)
	}
	for _, token := range []credential.RefreshToken{theSeed, waiting} {
		if !pair.State.Unanswered.Has(token.Fingerprint()) || pair.State.KnowsSeed(token.Fingerprint(), deviceApp.Key()) {
			t.Error("it is not known that it was tried, or it would not be tried again")
		}
	}
}

// What somebody has put beside the chain's token is no word about that.
func TestTheTokenOfAChainIsNoUnansweredLogin(t *testing.T) {
	pair := goodChain()
	pair.SeedToken = pair.RefreshToken
	pair.ForgetLogin()
	w, _, _ := newLogin(pair, badToken)
	if result := w.rotator.Rotate(t.Context(), dueJob(w)); result.Outcome != Rejected || result.Reason != ReasonRefreshTokenRejected {
		t.Errorf("%s, %s", result.Outcome, result.Reason)
	}
}

// A pair of a login that was given up is committed late, and the pair of the next login, whose fence knew of that, stays or comes.
func TestThePairOfANextLoginDoesNotGiveWayToOneThatWasGivenUp(t *testing.T) {
	base := goodChain().State
	base.Unanswered = base.Unanswered.With(theSeed.Fingerprint())
	live := goodChain()
	live.AccessToken, live.RefreshToken = credential.NewAccessToken("ghu_late"), credential.NewRefreshToken("ghr_late")
	live.State.AccessToken, live.State.RefreshToken = live.AccessToken.Fingerprint(), live.RefreshToken.Fingerprint()
	live.State.recordSeed(SeedRecord{Fingerprint: theSeed.Fingerprint()})
	w, _, _ := newLogin(live, pairReply)
	record := Record{ID: "next", Ref: live.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: "next", Login: true, SecretUID: "secret", Base: base, Reply: said(pairReply)}
	if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed {
		t.Errorf("the outcome is %s", result.Outcome)
	}
	record.Base.Unanswered = ""
	w, _, _ = newLogin(live, pairReply)
	if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Superseded {
		t.Errorf("of one that it has never heard of the outcome is %s", result.Outcome)
	}
}

// Of two copies the one that gives way may have the login that is just being imported.
func TestLoginGoesAlongWithTheCopyThatCounts(t *testing.T) {
	fence := func(spends credential.Fingerprint) *Pair {
		pair := goodChain()
		pair.State.Revision, pair.State.PendingSeed = 1, spends
		pair.Intent = &Intent{ID: "login", Spends: spends, Login: true}
		return pair
	}
	t.Run("with its intent", func(t *testing.T) {
		got := newer(fence(theSeed.Fingerprint()), goodChain())
		if got.State.Revision != 7 || got.LoginFromSeed() != theSeed.Fingerprint() || got.State.PendingSeed != theSeed.Fingerprint() {
			t.Errorf("it is %+v, with intent %+v", got.State, got.Intent)
		}
	})
	t.Run("as one that was tried where another exchange is under way", func(t *testing.T) {
		other := goodChain()
		other.Intent = &Intent{ID: "refresh", Spends: other.State.RefreshToken}
		got := newer(fence(theSeed.Fingerprint()), other)
		if got.Intent.ID != "refresh" || got.State.PendingSeed != "" || !got.State.Unanswered.Has(theSeed.Fingerprint()) {
			t.Errorf("it is %+v, with intent %+v", got.State, got.Intent)
		}
	})
	t.Run("not where the chain goes back to it", func(t *testing.T) {
		if got := newer(fence("seed"), goodChain()); got.Intent != nil || got.State.PendingSeed != "" {
			t.Errorf("it is %+v, with intent %+v", got.State, got.Intent)
		}
	})
}
