package rotation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// redeemer is a GitHub that gives one answer to each code, and is looked at when it comes.
type redeemer struct {
	reply  *github.Reply
	err    error
	sent   []credential.AuthorizationCode
	onSend func()
}

func (r *redeemer) RedeemCode(_ context.Context, _ github.App, redemption github.Redemption) (*github.Reply, error) {
	r.sent = append(r.sent, redemption.Code)
	if r.onSend != nil {
		r.onSend()
	}
	return r.reply, r.err
}

var webCode = credential.NewAuthorizationCode("a code of the web flow")

// webWorld is a Secret with an attempt that waits, beside a chain or without one.
func webWorld(t *testing.T, beside bool, reply *github.Reply) (*deviceWorld, *redeemer) {
	t.Helper()
	w, gitHub := newDeviceWorld(), &redeemer{reply: reply}
	w.rotator.Redeemer, w.rotator.Store = gitHub, &recorded{shelf: w.shelf}
	pair := goodChain()
	if !beside {
		pair.AccessToken, pair.RefreshToken = credential.AccessToken{}, credential.RefreshToken{}
		pair.State = State{Owner: "uid", OwnerName: "octocat", App: deviceApp.Key()}
	}
	now := time.Now()
	pair.State.Web = &weblogin.Attempt{
		ID: "uid-1", Request: "request-1", Callback: "http://127.0.0.1:8976/", App: deviceApp.Key(), Verifier: "verifier", BeganAt: now, ExpiresAt: now.Add(weblogin.Lifetime),
	}
	if _, err := w.shelf.put(pair); err != nil {
		t.Fatal(err)
	}
	return w, gitHub
}

// redeeming is the job of whoever finds the code.
func redeeming(w *deviceWorld) Job {
	return Job{
		Owner: deviceOwner, Ref: w.shelf.pair.Ref, App: deviceApp, Pair: w.shelf.pair.WithoutTokens(), Attempt: "uid-1",
		Code:     github.Redemption{Code: webCode, Verifier: credential.NewCodeVerifier("verifier"), RedirectURI: "http://127.0.0.1:8976/"},
		Decision: Decision{Action: ActionRedeem, Cause: CauseWebFlow, Spends: webCode.Fingerprint()},
	}
}

func TestWebLoginCodeIsFencedKeptAndCommittedLikeAToken(t *testing.T) {
	for name, c := range map[string]struct {
		beside  bool
		reply   string
		outcome Outcome
		ended   v1alpha1.WebLoginResult
		why     string
		sent    bool // the attempt still says so
		intent  bool
	}{
		"a first login":                            {false, pairReply, Committed, v1alpha1.WebLoginSucceeded, "", true, false},
		"one beside a chain":                       {true, pairReply, Committed, v1alpha1.WebLoginSucceeded, "", true, false},
		"one that GitHub refuses":                  {false, `{"error":"bad_verification_code"}`, Rejected, v1alpha1.WebLoginRejected, "CodeRejected", true, false},
		"one that GitHub refuses beside a chain":   {true, `{"error":"bad_verification_code"}`, Rejected, v1alpha1.WebLoginRejected, "CodeRejected", true, false},
		"one to another callback":                  {true, `{"error":"redirect_uri_mismatch"}`, Rejected, v1alpha1.WebLoginRejected, "RedirectMismatch", true, false},
		"one of an account without an address":     {true, `{"error":"unverified_user_email"}`, Rejected, v1alpha1.WebLoginRejected, "UnverifiedEmail", true, false},
		"one that GitHub did not look at":          {true, `{"error":"incorrect_client_credentials"}`, Untouched, "", "", false, false},
		"one of which no answer is known":          {false, `<html>`, Unknown, "", "", true, true},
		"one of which none is known beside others": {true, `<html>`, Unknown, "", "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, gitHub := webWorld(t, c.beside, said(c.reply))
			before := w.shelf.pair.Clone()
			gitHub.onSend = func() {
				live := w.shelf.pair
				if i := live.Intent; i == nil || !i.Login || i.Attempt != "uid-1" || i.Spends != webCode.Fingerprint() || live.State.Web.Sent != webCode.Fingerprint() {
					t.Errorf("the fence says %+v, with intent %+v", live.State.Web, live.Intent)
				}
				if live.State.PendingSeed != "" || live.LoginFromSeed() != "" || !live.isAt(webCode.Fingerprint()) {
					t.Error("the code is taken for a token of the seed")
				}
			}
			result := w.rotator.Rotate(t.Context(), redeeming(w))
			live := w.shelf.pair
			if result.Outcome != c.outcome || len(gitHub.sent) != 1 || c.outcome != Untouched && w.box.kept != 1 {
				t.Errorf("%s (%v): %d codes were sent, and %d replies kept", result.Outcome, result.Err, len(gitHub.sent), w.box.kept)
			}
			web := live.State.Web
			if web.Ended != c.ended || web.Why != c.why || (web.Sent != "") != c.sent || (live.Intent != nil) != c.intent {
				t.Errorf("what is left is %+v, with intent %+v", web, live.Intent)
			}
			switch {
			case c.outcome == Committed && (live.RefreshToken.Reveal() != "ghr_new" || !live.State.HasImported(webCode.Fingerprint()) || live.State.RefreshCount != 1):
				t.Errorf("the pair is not stored as one of a new login: %+v", live.State)
			case c.outcome != Committed && dataOf(live) != dataOf(before):
				t.Error("the chain that was there is not the same")
			case c.outcome != Committed && (live.State.Verdict != nil || live.State.SeedVerdict != nil):
				t.Error("the chain that was there is condemned")
			}
			if c.outcome == Rejected || c.outcome == Committed || c.outcome == Unknown { // It is never sent again.
				again := w.rotator.Rotate(t.Context(), redeeming(w))
				if again.Outcome != Stale || len(gitHub.sent) != 1 {
					t.Errorf("the second time: %s, and %d codes were sent", again.Outcome, len(gitHub.sent))
				}
			}
		})
	}
}

func TestWebLoginCodeOfUnknownOutcomeIsGivenUp(t *testing.T) {
	for name, restarted := range map[string]bool{"by the process that has sent it": false, "by another": true} {
		t.Run(name, func(t *testing.T) {
			w, gitHub := webWorld(t, true, &github.Reply{Status: 502})
			w.rotator.Rotate(t.Context(), redeeming(w))
			rotator := w.rotator
			if restarted {
				rotator = &Rotator{Store: w.rotator.Store, Redeemer: gitHub, Outbox: w.box, Clock: SystemClock(), Me: Holder{Outbox: "b", Process: "2"}, NewID: w.rotator.NewID}
			}
			left, err := rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens())
			if err != nil {
				t.Fatal(err)
			}
			if left.Intent != nil || left.State.Web.Ended != v1alpha1.WebLoginLost || !left.State.HasHeardOf(webCode.Fingerprint()) || left.State.SeedVerdict != nil {
				t.Errorf("what is left is %+v, with intent %+v", left.State, left.Intent)
			}
			// In another attempt it is not sent either.
			w.shelf.edit(func(p *Pair) {
				next := *p.State.Web
				next.Ended, next.Sent = "", ""
				p.State.Web = &next
			})
			if again := rotator.Rotate(t.Context(), redeeming(w)); again.Outcome != Stale || len(gitHub.sent) != 1 {
				t.Errorf("the second time: %s, and %d codes were sent", again.Outcome, len(gitHub.sent))
			}
		})
	}
}

func TestWebLoginCodeThatWasNotSentIsNotLost(t *testing.T) {
	w, gitHub := webWorld(t, true, nil)
	gitHub.err = &github.Error{Class: github.Transient, Reason: github.HostUnreachable}
	w.shelf.before = nil
	gitHub.onSend = func() { w.shelf.lose = true } // The intent cannot be taken back.
	w.rotator.Rotate(t.Context(), redeeming(w))
	w.shelf.edit(func(p *Pair) {
		p.Intent = &Intent{ID: "1", Holder: w.rotator.Me, Spends: webCode.Fingerprint(), Login: true, Attempt: "uid-1", App: deviceApp.Key()}
		p.State.Web = p.State.Web.Sending("uid-1", webCode.Fingerprint())
	})
	left, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens())
	if err != nil || left.Intent != nil || !left.State.Web.IsWaiting(time.Now()) || left.State.HasHeardOf(webCode.Fingerprint()) {
		t.Errorf("what is left is %+v: %v", left, err)
	}
}

// The reply of a process that has died is committed by the next one, also when the login was given up meanwhile.
func TestWebLoginReplyThatWasKeptIsCommittedAfterItWasGivenUp(t *testing.T) {
	for name, beside := range map[string]bool{"without a chain": false, "beside a chain": true} {
		t.Run(name, func(t *testing.T) {
			w, _ := webWorld(t, beside, said(pairReply))
			died := &Rotator{Store: w.rotator.Store, Redeemer: &redeemer{reply: said(pairReply)}, Outbox: &dying{w.box}, Clock: SystemClock(), Me: Holder{Outbox: "b", Process: "1"}, NewID: func() string { return "first" }}
			func() {
				defer func() { _ = recover() }()
				died.Rotate(t.Context(), redeeming(w))
			}()
			if _, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); err != nil {
				t.Fatal(err)
			}
			for _, record := range w.box.records {
				if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed {
					t.Errorf("%s: %v", result.Outcome, result.Err)
				}
			}
			if live := w.shelf.pair; live.RefreshToken.Reveal() != "ghr_new" || live.State.Web.Ended != v1alpha1.WebLoginSucceeded {
				t.Errorf("what is stored is %+v", live.State)
			}
		})
	}
}

// dying is the outbox of a process that dies when it has kept a reply.
type dying struct{ *box }

func (d *dying) Keep(record Record) error {
	_ = d.box.Keep(record)
	panic("dead")
}

func TestWebLoginByAnotherWayEndsTheAttempt(t *testing.T) {
	w, _ := webWorld(t, true, nil)
	w.rotator.Exchanger = &answers{reply: said(pairReply)}
	if result := w.rotator.Rotate(t.Context(), importing(w)); result.Outcome != Committed {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	if web := w.shelf.pair.State.Web; web.Ended != v1alpha1.WebLoginSuperseded {
		t.Errorf("the attempt is %+v", web)
	}
}

func TestWebLoginOfAnotherAccountEndsTheAttempt(t *testing.T) {
	w, _ := webWorld(t, true, said(pairReply))
	w.rotator.Admit = func(context.Context, github.App, Record, github.Tokens) (*User, error) { return nil, ErrWrongUser }
	ended := 0
	w.rotator.End = func(context.Context, github.App, Record, github.Tokens) { ended++ }
	job := redeeming(w)
	job.User = &UserPin{Login: "hubot"}
	if result := w.rotator.Rotate(t.Context(), job); result.Outcome != WrongUser || ended != 1 {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	live := w.shelf.pair
	if live.State.Web.Ended != v1alpha1.WebLoginWrongUser || live.Intent != nil || live.State.SeedVerdict != nil || !live.State.HasHeardOf(webCode.Fingerprint()) {
		t.Errorf("what is left is %+v", live.State)
	}
}

// Of two copies of a state none forgets that a code was sent.
func TestWebLoginCopyKeepsThatACodeWasSent(t *testing.T) {
	w, _ := webWorld(t, true, nil)
	old := w.shelf.pair.Clone()
	sent := old.Clone()
	sent.Version, sent.Ref.Name = "9", "backup"
	sent.State.Web = sent.State.Web.Sending("uid-1", webCode.Fingerprint())
	for name, got := range map[string]*Pair{"the one": newer(old, sent), "the other": newer(sent, old)} {
		if got.State.Web.Sent != webCode.Fingerprint() {
			t.Errorf("%s: %+v", name, got.State.Web)
		}
	}
}

func TestWebLoginGoesWithItsResource(t *testing.T) {
	w, _ := webWorld(t, true, nil)
	if retained := w.shelf.pair.AsRetained(); retained.State.Web.IsOpen() || retained.State.Web.Verifier != "" {
		t.Error("the next resource would have the attempt")
	}
	restored := w.shelf.pair.Clone()
	restored.Intent = &Intent{ID: "1", Spends: webCode.Fingerprint(), Login: true, Attempt: "uid-1"}
	restored.ForgetLogin()
	if restored.State.Web.IsOpen() || !restored.State.Web.HasHonoured(weblogin.Request{ID: "request-1"}) || restored.Intent != nil || !restored.State.HasHeardOf(webCode.Fingerprint()) {
		t.Errorf("what came from a backup goes on: %+v", restored.State)
	}
}

// vanishing is a shelf whose Secret is gone at the second look.
type vanishing struct {
	*refusing

	looksAt int
}

func (v *vanishing) Get(ctx context.Context, ref Ref) (*Pair, error) {
	if v.looksAt++; v.looksAt > 1 {
		return nil, ErrNotFound
	}
	return v.refusing.Get(ctx, ref)
}

func TestWebLoginGiveUpReturnsAPairOrAnError(t *testing.T) {
	w, _ := webWorld(t, true, said(`{"error":"bad_verification_code"}`))
	store := &refusing{shelf: w.shelf, with: ErrDenied}
	w.rotator.Store, w.rotator.Clock = store, &untimed{Clock: SystemClock()}
	if result := w.rotator.Rotate(t.Context(), redeeming(w)); result.Outcome != Unrecorded {
		t.Fatalf("%s: %v", result.Outcome, result.Err)
	}
	w.rotator.Store = &vanishing{refusing: store}
	if left, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens()); !errors.Is(err, ErrNotFound) {
		t.Errorf("it returns %+v, %v", left, err)
	}
}

// People who come back as somebody else, or with codes that GitHub refuses, push nothing out of what is remembered of seeds.
func TestWebLoginCodesHaveNoSeedForgotten(t *testing.T) {
	w, _ := webWorld(t, true, nil)
	live := w.shelf.pair.Clone()
	seed, unanswered := live.State.Seeds[0].Fingerprint, credential.NewRefreshToken("ghr_unanswered").Fingerprint()
	live.State.Unanswered = live.State.Unanswered.With(unanswered)
	for i := range MaxSeeds {
		code := credential.NewAuthorizationCode(fmt.Sprintf("code %d", i)).Fingerprint()
		live.Intent = &Intent{ID: "1", Login: true, Attempt: "uid-1", Spends: code}
		live, _ = pairCondemned(live, finding{attempt: "uid-1", spent: code, reason: []string{ReasonWrongUser, ""}[i%2]}, w.rotator.Clock.Now())
		if !live.State.HasHeardOf(code) {
			t.Error("a code is forgotten at once")
		}
	}
	if !live.State.HasImported(seed) {
		t.Error("the imported seed, which is spent, would be imported again")
	}
	if !live.State.Unanswered.Has(unanswered) {
		t.Error("a token of unknown outcome is forgotten")
	}
}

// A code lives for ten minutes, in which there may be an attempt after each OfferPause of package rules.
func TestWebLoginCodeOfUnknownOutcomeIsNotForgottenWhileItLives(t *testing.T) {
	w, _ := webWorld(t, true, said(`<html>`))
	w.rotator.Rotate(t.Context(), redeeming(w))
	live, err := w.rotator.GiveUp(t.Context(), deviceOwner, w.shelf.pair.WithoutTokens())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 65 {
		code := credential.NewAuthorizationCode(fmt.Sprintf("code %d", i)).Fingerprint()
		live.Intent = &Intent{ID: "1", Login: true, Attempt: "uid-1", Spends: code}
		live, _ = pairCondemned(live, finding{attempt: "uid-1", spent: code, why: "CodeRejected"}, w.rotator.Clock.Now())
	}
	if !live.State.HasHeardOf(webCode.Fingerprint()) {
		t.Error("it would be sent again")
	}
}

func TestWebLoginWhosePairWasRevokedIsOfNoWrongUser(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		ended v1alpha1.WebLoginResult
	}{
		"dead":                {ErrPairDead, v1alpha1.WebLoginRejected},
		"of another account":  {ErrWrongUser, v1alpha1.WebLoginWrongUser},
		"of an unknown owner": {ErrUserUnknown, v1alpha1.WebLoginWrongUser},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := webWorld(t, false, said(pairReply))
			w.rotator.Admit = func(context.Context, github.App, Record, github.Tokens) (*User, error) { return nil, c.err }
			job := redeeming(w)
			job.User = &UserPin{Login: "octocat"}
			w.rotator.Rotate(t.Context(), job)
			if web := w.shelf.pair.State.Web; web.Ended != c.ended || web.Why == "" {
				t.Errorf("the login ends as %s (%s)", web.Ended, web.Why)
			}
		})
	}
}

// A seed that somebody else has as well gives way. A person is at GitHub's page meanwhile.
func TestWebLoginThatWaitsOutlivesASeedThatGivesWay(t *testing.T) {
	w, _ := webWorld(t, false, nil)
	w.rotator.Confirm = func(context.Context, Job, *Pair) error { return ErrTokenInUse }
	w.rotator.Exchanger = &answers{reply: said(pairReply)}
	result := w.rotator.Rotate(t.Context(), importing(w))
	if w.shelf.pair == nil || !w.shelf.pair.State.Web.IsWaiting(time.Now()) {
		t.Errorf("%s: the attempt is gone that a person is just about to finish", result.Outcome)
	}
}

// A reply that was cut off after the access token.
func TestWebLoginOfWhichHalfAPairCameHasNotSucceeded(t *testing.T) {
	w, _ := webWorld(t, false, said(`{"access_token":"ghu_new","expires_in":28800,"refresh_token":"ghr_n`))
	result := w.rotator.Rotate(t.Context(), redeeming(w))
	live := w.shelf.pair
	if result.Reason != ReasonReplyLost || live.AccessToken.Reveal() != "ghu_new" {
		t.Errorf("%s %s: %v", result.Outcome, result.Reason, result.Err)
	}
	if web := live.State.Web; web.Ended != v1alpha1.WebLoginLost || web.Why != weblogin.WhyHalf || !web.Followed {
		t.Errorf("the login ends as %+v", web)
	}
}

// A process has kept GitHub's refusal of a code, and died before it could write it down.
func TestWebLoginRefusalThatWasKeptIsNotLost(t *testing.T) {
	for body, want := range map[string]v1alpha1.WebLoginResult{
		`{"error":"bad_verification_code"}`:        v1alpha1.WebLoginRejected,
		`{"error":"redirect_uri_mismatch"}`:        v1alpha1.WebLoginRejected,
		`{"error":"incorrect_client_credentials"}`: "", // It ends with its intent.
		`<html>`: "",
	} {
		t.Run(body, func(t *testing.T) {
			w, _ := webWorld(t, true, said(body))
			died := &Rotator{Store: w.rotator.Store, Redeemer: &redeemer{reply: said(body)}, Outbox: &dying{w.box}, Clock: SystemClock(), Me: Holder{Outbox: "b", Process: "1"}, NewID: func() string { return "first" }}
			func() {
				defer func() { _ = recover() }()
				died.Rotate(t.Context(), redeeming(w))
			}()
			before := dataOf(w.shelf.pair)
			for _, record := range w.box.records {
				w.rotator.Replay(t.Context(), deviceApp, record)
			}
			live := w.shelf.pair
			if live.State.Web.Ended != want || (live.Intent == nil) != (want != "") || dataOf(live) != before || live.State.Verdict != nil || len(w.box.records) != 0 {
				t.Errorf("what is left is %+v, with intent %+v", live.State.Web, live.Intent)
			}
			if want != "" && (live.State.Web.Why == "" || !live.State.HasHeardOf(webCode.Fingerprint())) {
				t.Errorf("it is not told why: %+v", live.State.Web)
			}
		})
	}
}

// The pair of a former resource is taken up beside a backup in which this one's logins stand.
func TestWebLoginCodesOfABackupAreNotForgottenWithIt(t *testing.T) {
	w, _ := webWorld(t, true, nil)
	retained, backup := w.shelf.pair.AsRetained(), w.shelf.pair.Clone()
	backup.State.Web = (&weblogin.Attempt{ID: "uid-2", Request: "request-2", Ended: v1alpha1.WebLoginLost, BeganAt: time.Now()}).Having(webCode.Fingerprint())
	next := withLoginOf(retained, backup)
	if !next.State.HasHeardOf(webCode.Fingerprint()) || !next.State.Web.HasHonoured(weblogin.Request{ID: "request-2"}) || !next.State.Web.HasHonoured(weblogin.Request{ID: "request-1"}) {
		t.Errorf("what is taken up knows of %+v", next.State.Web)
	}
}
