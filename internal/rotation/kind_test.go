package rotation

import (
	"context"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

const refused = `{"error":"bad_refresh_token"}`

// exchanged carries out an exchange of the chain's token, to which GitHub answers with a body.
func exchanged(t *testing.T, w *deviceWorld, decision Decision, body string) Result {
	t.Helper()
	w.rotator.Exchanger = once{said(body)}
	return w.rotator.Rotate(t.Context(), Job{Owner: deviceOwner, Ref: w.shelf.pair.Ref, App: deviceApp, Pair: w.shelf.pair.Clone(), Decision: decision})
}

// Whoever may edit the pair Secret can put its refresh token under every key. What was sent is told by the request, so that
// the refusal is believed, and the token is not sent again.
func TestARefusalIsBelievedWhateverStandsBesideTheToken(t *testing.T) {
	refresh := goodChain().RefreshToken
	for name, forge := range map[string]func(*Pair){
		"nothing":                           func(*Pair) {},
		"the same as a device code":         func(p *Pair) { p.DeviceCode = credential.NewDeviceCode(refresh.Reveal()) },
		"the same as a new login":           func(p *Pair) { p.SeedToken = refresh },
		"the same as a login under way":     func(p *Pair) { p.SeedToken, p.State.PendingSeed = refresh, refresh.Fingerprint() },
		"a pending login that is not there": func(p *Pair) { p.State.PendingSeed = refresh.Fingerprint() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			forged := goodChain()
			forge(forged)
			if _, err := w.shelf.put(forged); err != nil {
				t.Fatal(err)
			}
			decision := Decision{Action: ActionRefresh, Cause: CauseDue, Spends: refresh.Fingerprint()}
			if forged.State.PendingSeed != "" {
				decision.Action = ActionImport
			}
			result := exchanged(t, w, decision, refused)
			live := w.shelf.pair
			if result.Outcome != Rejected || result.Reason != ReasonRefreshTokenRejected || live.State.Verdict == nil || live.Intent != nil {
				t.Fatalf("the outcome is %s (%v), and the Secret says %+v", result.Outcome, result.Err, live.State)
			}
			taken, err := w.rotator.TakeUp(t.Context(), deviceOwner, live)
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range []*Pair{live, taken} {
				if pair.State.Verdict == nil || pair.Intent != nil || pair.State.PendingSeed != "" {
					t.Errorf("the token would be sent again: %+v, with intent %v", pair.State, pair.Intent)
				}
			}
		})
	}
}

func TestAPairIsNoLoginForWhatStandsBesideTheToken(t *testing.T) {
	w := newDeviceWorld()
	forged := goodChain()
	forged.SeedToken, forged.DeviceCode = forged.RefreshToken, credential.NewDeviceCode(forged.RefreshToken.Reveal())
	if _, err := w.shelf.put(forged); err != nil {
		t.Fatal(err)
	}
	result := exchanged(t, w, Decision{Action: ActionRefresh, Cause: CauseDue, Spends: forged.State.RefreshToken}, pairReply)
	state := w.shelf.pair.State
	if result.Outcome != Committed || state.RefreshCount != 8 || state.User == nil || len(state.Seeds) != 1 {
		t.Errorf("the outcome is %s, and the chain counts as a new login: %+v", result.Outcome, state)
	}
}

// A seed that GitHub has refused, or that the chain goes back to, is no new login when somebody puts it into the pair Secret.
func TestALoginThatWasDealtWithIsNotTakenUpAgain(t *testing.T) {
	seed := credential.NewRefreshToken("ghr_seed")
	for name, record := range map[string]SeedRecord{
		"refused":  {Fingerprint: seed.Fingerprint(), RefusedFor: deviceApp.Key()},
		"imported": {Fingerprint: seed.Fingerprint()},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			pair := goodChain()
			pair.SeedToken, pair.State.Seeds = seed, []SeedRecord{record}
			live, err := w.shelf.put(pair)
			if err != nil {
				t.Fatal(err)
			}
			taken, err := w.rotator.TakeUp(t.Context(), deviceOwner, live)
			if err != nil || taken.State.PendingSeed != "" || taken.Version != live.Version {
				t.Errorf("it is pending as %q, in version %s: %v", taken.State.PendingSeed, taken.Version, err)
			}
		})
	}
}

// A person may have copied the chain's token under the key of logins before they took it out of its own: it is imported at once,
// and not after the next login, over whose pair its own would be stored. One that GitHub has refused is not presented again.
func TestALoginIsWhatWasCopiedBesideTheTokenThatIsTakenOut(t *testing.T) {
	for name, tried := range map[string]struct {
		verdict *Verdict
		pending bool
	}{
		"good":    {nil, true},
		"refused": {&Verdict{Reason: ReasonRefreshTokenRejected, Fingerprint: goodChain().State.RefreshToken}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			pair := goodChain()
			pair.SeedToken, pair.RefreshToken, pair.State.Verdict = pair.RefreshToken, credential.RefreshToken{}, tried.verdict
			live, err := w.shelf.put(pair)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if live, err = w.rotator.TakeUp(t.Context(), deviceOwner, live.Clone()); err != nil {
					t.Fatal(err)
				}
			}
			if pending := live.State.PendingSeed == live.SeedToken.Fingerprint(); pending != tried.pending {
				t.Errorf("it is pending: %t", pending)
			}
		})
	}
}

// The same value under two keys does not make a poll of an exchange, nor the other way round: the answer to a poll says
// nothing about the chain.
func TestARefusedCodeCondemnsNoToken(t *testing.T) {
	w := newDeviceWorld()
	w.shelf.pair = goodChain()
	job := w.job(w.offer(t, w.shelf.pair))
	w.shelf.edit(func(p *Pair) {
		p.RefreshToken = credential.NewRefreshToken(secretID)
		p.State.RefreshToken = p.RefreshToken.Fingerprint()
		p.Intent = &Intent{ID: "other", Spends: p.State.RefreshToken}
	})
	job.User = &UserPin{Login: "octocat"}
	w.page.reply = said(pairReply)
	w.rotator.Admit = func(context.Context, github.App, Record, github.Tokens) (*User, error) { return nil, ErrWrongUser }
	result := w.rotator.Poll(t.Context(), job)
	live := w.shelf.pair
	if result.Outcome != WrongUser || live.State.Verdict != nil || live.Intent == nil || live.State.Device.Ended != ReasonWrongUser {
		t.Errorf("the outcome is %s, and the Secret says %+v, with intent %v", result.Outcome, live.State, live.Intent)
	}
}

// A device code under which somebody has put a spent token holds nothing that a reply was got for.
func TestWhatStandsAsADeviceCodeIsNoToken(t *testing.T) {
	spent := credential.NewRefreshToken("ghr_spent")
	live := goodChain()
	live.DeviceCode = credential.NewDeviceCode(spent.Reveal())
	live.Intent = &Intent{ID: "other"}
	record := Record{Owner: deviceOwner, Spent: spent.Fingerprint(), Base: State{Revision: 1, RefreshToken: spent.Fingerprint(), Seeds: live.State.Seeds}}
	live.State.Seeds = append(live.State.Seeds, SeedRecord{Fingerprint: "newer"})
	if !movedOn(live, record) {
		t.Error("a replay would overwrite the chain that has gone on")
	}
	if live.holdsForVerdict(finding{spent: spent.Fingerprint(), intentID: "1"}) {
		t.Error("a verdict would be written under the intent of somebody else")
	}
	live.State.Device = &DeviceAuthorization{DeviceCode: spent.Fingerprint()}
	record.Code = true
	if movedOn(live, record) || !live.holdsForVerdict(finding{spent: spent.Fingerprint(), code: true}) {
		t.Error("of a code it is said that it is gone")
	}
}
