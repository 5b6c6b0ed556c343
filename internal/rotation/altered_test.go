package rotation

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/jsonfields"
)

// compared says of each write whether something else is stored than was written, as the Store of package compared does.
type compared struct{ Store }

func (c compared) Create(ctx context.Context, pair *Pair) (*Pair, error) {
	stored, err := c.Store.Create(ctx, pair)
	return stored, errors.Join(err, c.compare(pair, stored))
}

func (c compared) Update(ctx context.Context, current, next *Pair) (*Pair, error) {
	stored, err := c.Store.Update(ctx, current, next)
	return stored, errors.Join(err, c.compare(next, stored))
}

func (compared) compare(sent, stored *Pair) error {
	if stored == nil || jsonfields.Same(sent.State, stored.State) && jsonfields.Same(sent.Intent, stored.Intent) && sent.AccessToken == stored.AccessToken &&
		sent.RefreshToken == stored.RefreshToken && sent.StateLost == stored.StateLost && sent.Controlled == stored.Controlled {
		return nil
	}
	return ErrAltered
}

// guessed is a state that was computed from the tokens.
func guessed(p *Pair) State {
	return State{
		Owner: p.Owner.UID, OwnerName: p.Owner.Name, Revision: 1, Incomplete: true, AccessToken: p.AccessToken.Fingerprint(),
		RefreshToken: p.RefreshToken.Fingerprint(), ExpiresAt: deviceNow.AddDate(0, 0, 1), IssuedAt: deviceNow,
	}
}

// newAdmittedWorld is a world with a stored chain, whose writes are compared with what is stored.
func newAdmittedWorld(t *testing.T, pair *Pair) *deviceWorld {
	t.Helper()
	w := newDeviceWorld()
	w.rotator.Store = compared{w.shelf}
	if _, err := w.shelf.put(pair); err != nil {
		t.Fatal(err)
	}
	return w
}

// What a webhook does to a write.
var alterations = map[string]func(*Pair){
	"redacts the tokens": func(p *Pair) {
		p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_redacted"), credential.NewRefreshToken("ghr_redacted")
	},
	"drops the refresh token": func(p *Pair) { p.RefreshToken = credential.RefreshToken{} },
	"drops all tokens":        func(p *Pair) { p.AccessToken, p.RefreshToken = credential.AccessToken{}, credential.RefreshToken{} },
	"alters everything": func(p *Pair) {
		p.AccessToken, p.RefreshToken = credential.NewAccessToken("ghu_redacted"), credential.NewRefreshToken("ghr_redacted")
		p.State, p.StateLost, p.Intent = guessed(p), true, nil
	},
}

func dueNow(pair *Pair) Decision {
	return Decision{Action: ActionRefresh, Cause: CauseDue, Spends: pair.State.RefreshToken}
}

func TestNothingIsSentUnderAFenceThatAdmissionHasAltered(t *testing.T) {
	for name, alter := range map[string]func(*Pair){
		"takes the intent away":     func(p *Pair) { p.Intent = nil },
		"makes it unreadable":       func(p *Pair) { p.Intent = &Intent{ID: "unreadable", Unresolved: 1} },
		"makes it somebody else's":  func(p *Pair) { p.Intent.Holder = Holder{Process: "other"} },
		"forgets the earlier tries": func(p *Pair) { p.Intent.Unresolved = 7 },
		"takes the state away":      func(p *Pair) { p.State, p.StateLost = guessed(p), true },
		"changes the state":         func(p *Pair) { p.State.Seeds = nil },
		"takes the owner away":      func(p *Pair) { p.Controlled, p.Orphan = false, true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newAdmittedWorld(t, goodChain())
			w.shelf.admit = alter
			result := exchanged(t, w, dueNow(w.shelf.pair), refused)
			if result.Outcome != NotFenced || !errors.Is(result.Err, ErrAltered) || w.box.kept != 0 {
				t.Fatalf("the outcome is %s (%v), and %d replies were received", result.Outcome, result.Err, w.box.kept)
			}
			// The webhook is gone. What it has left does not say that anything was sent.
			w.shelf.admit = nil
			w.shelf.edit(func(p *Pair) { p.Controlled, p.Orphan, p.State, p.StateLost = true, false, goodChain().State, false })
			w.rotator.altered[deviceOwner.UID] = unsent{w.rotator.altered[deviceOwner.UID].intent, w.shelf.pair.Version}
			result = exchanged(t, w, dueNow(w.shelf.pair), refused)
			if result.Outcome != Rejected || result.Reason != ReasonRefreshTokenRejected {
				t.Errorf("the outcome is %s, %s: what was not sent counts as sent", result.Outcome, result.Reason)
			}
		})
	}
}

// An exchange whose outcome is not known stays so when a later fence is altered, whatever stands in the Secret.
func TestADoubtOutlivesAFenceThatAdmissionHasAltered(t *testing.T) {
	pair := goodChain()
	pair.Intent = &Intent{ID: "former", Holder: Holder{Process: "former"}, Spends: pair.State.RefreshToken, App: deviceApp.Key()}
	w := newAdmittedWorld(t, pair)
	w.shelf.admit = func(p *Pair) { p.Intent = nil }
	decision := dueNow(pair)
	decision.Action = ActionResolve
	if result := exchanged(t, w, decision, refused); result.Outcome != NotFenced {
		t.Fatalf("the outcome is %s", result.Outcome)
	}
	w.shelf.admit = nil
	w.shelf.edit(func(*Pair) {})
	if result := exchanged(t, w, dueNow(pair), refused); result.Reason != ReasonReplyLost {
		t.Errorf("the outcome is %s, %s", result.Outcome, result.Reason)
	}
}

func TestAPairThatAdmissionAltersIsStoredAgain(t *testing.T) {
	for name, alter := range alterations {
		for _, lost := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newAdmittedWorld(t, goodChain())
					w.rotator.Clock = SystemClock()
					left := 3
					w.shelf.admit = func(p *Pair) {
						if p.Intent == nil && left > 0 { // It is a commit.
							left--
							alter(p)
							w.shelf.lose = lost && left == 2
						}
					}
					retries := 0
					w.rotator.OnRetry = func(_ Owner, _ Unwritten, err error) {
						retries++
						if !errors.Is(err, ErrAltered) && !errors.Is(err, errNoReply) || len(w.box.records) != 1 {
							t.Errorf("%d records are in the outbox while it is tried again because of %v", len(w.box.records), err)
						}
					}
					result := exchanged(t, w, dueNow(w.shelf.pair), pairReply)
					live := w.shelf.pair
					switch {
					case result.Outcome != Committed || retries != 3 || len(w.box.records) != 0:
						t.Errorf("the outcome is %s (%v) after %d retries, and %d records are left", result.Outcome, result.Err, retries, len(w.box.records))
					case live.AccessToken.Reveal() != "ghu_new" || live.RefreshToken.Reveal() != "ghr_new" || !live.isWhole():
						t.Error("the pair is not in the Secret")
					case live.State.Revision != 8 || live.State.RefreshCount != 8 || len(live.State.Seeds) != 1:
						t.Errorf("it was counted more than once, or logins were forgotten: %+v", live.State)
					}
				})
			})
		}
	}
}

// The process dies between the altered write and the next try, and another replica has looked at the Secret meanwhile.
func TestAPairThatWasAlteredIsReplayed(t *testing.T) {
	received := func(p *Pair, access, refresh string) {
		p.AccessToken, p.RefreshToken = credential.NewAccessToken(access), credential.NewRefreshToken(refresh)
		p.State.AccessToken, p.State.RefreshToken = p.AccessToken.Fingerprint(), p.RefreshToken.Fingerprint()
		p.State.Revision++
	}
	record := Record{
		ID: "1", Ref: goodChain().Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: goodChain().State.RefreshToken,
		SecretUID: "secret", Base: goodChain().State, Reply: said(pairReply),
	}
	for name, alter := range alterations {
		for _, takenUp := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				live := goodChain()
				received(live, "ghu_new", "ghr_new")
				alter(live)
				w := newAdmittedWorld(t, live)
				if takenUp {
					if _, err := w.rotator.TakeUp(t.Context(), deviceOwner, w.shelf.pair.Clone()); err != nil {
						t.Fatal(err)
					}
				}
				if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed || w.shelf.pair.RefreshToken.Reveal() != "ghr_new" {
					t.Errorf("taken up: %t: the outcome is %s", takenUp, result.Outcome)
				}
				if got := w.shelf.pair; !takenUp && !live.StateLost && (got.State.PendingSeed != "" || !got.SeedToken.IsZero()) {
					t.Error("what admission has put there counts as a login")
				}
			})
		}
	}
	for name, change := range map[string]func(*Pair){
		"a pair that was received since": func(p *Pair) {
			received(p, "ghu_new", "ghr_new")
			received(p, "ghu_newer", "ghr_newer")
		},
		"a pair that was received since, and whose access token somebody has altered": func(p *Pair) {
			received(p, "ghu_new", "ghr_new")
			received(p, "ghu_newer", "ghr_newer")
			p.AccessToken = credential.NewAccessToken("ghu_altered")
		},
		"the altered pair of a later login": func(p *Pair) {
			received(p, "ghu_newer", "ghr_newer")
			p.State.Seeds = append(p.State.Seeds, SeedRecord{Fingerprint: "later"})
			p.RefreshToken = credential.NewRefreshToken("ghr_redacted")
		},
	} {
		t.Run(name, func(t *testing.T) {
			live := goodChain()
			change(live)
			w := newAdmittedWorld(t, live)
			if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Superseded || w.shelf.version != 1 {
				t.Errorf("the outcome is %s, after %d writes", result.Outcome, w.shelf.version)
			}
		})
	}
	t.Run("a token that somebody has pasted meanwhile is a login", func(t *testing.T) {
		live, pasted := goodChain(), credential.NewRefreshToken("ghr_pasted")
		live.RefreshToken = pasted
		w := newAdmittedWorld(t, live)
		result := w.rotator.Replay(t.Context(), deviceApp, record)
		if got := w.shelf.pair; result.Outcome != Committed || got.RefreshToken.Reveal() != "ghr_new" || got.SeedToken != pasted || got.State.PendingSeed != pasted.Fingerprint() {
			t.Errorf("the outcome is %s, and pending is %q", result.Outcome, got.State.PendingSeed)
		}
	})
}

func TestAVerdictThatAdmissionAltersIsStoredAgain(t *testing.T) {
	for name, alter := range map[string]func(*Pair){
		"takes the state away":   func(p *Pair) { p.State, p.StateLost = guessed(p), true },
		"takes the verdict away": func(p *Pair) { p.State.Verdict = nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pair := goodChain()
				pair.Intent = &Intent{ID: "former", Holder: Holder{Process: "former"}, Spends: pair.State.RefreshToken, App: deviceApp.Key()}
				w := newAdmittedWorld(t, pair)
				left := 2
				w.shelf.admit = func(p *Pair) {
					if p.Intent == nil && left > 0 {
						left--
						alter(p)
					}
				}
				result := exchanged(t, w, dueNow(pair), refused)
				if verdict := w.shelf.pair.State.Verdict; result.Outcome != Rejected || left != 0 || verdict == nil || verdict.Reason != ReasonReplyLost {
					t.Errorf("the outcome is %s, and the verdict %+v", result.Outcome, verdict)
				}
			})
		})
	}
}

func TestOfTwoCopiesOfAPairTheOneCountsThatWasNotAltered(t *testing.T) {
	for name, alter := range alterations {
		t.Run(name, func(t *testing.T) {
			altered := goodChain()
			alter(altered)
			for _, got := range []*Pair{newer(altered, goodChain()), newer(goodChain(), altered)} {
				if got.RefreshToken.Reveal() != "ghr_old" || got.AccessToken.Reveal() != "ghu_old" {
					t.Error("the altered one counts")
				}
			}
		})
	}
}

// A pair that moves, or is put back, stays where it was as long as it is not in its new place.
func TestNoCopyIsRemovedForOneThatAdmissionHasAltered(t *testing.T) {
	for name, alter := range alterations {
		t.Run(name, func(t *testing.T) {
			deleted := goodChain()
			deleted.Deleting = true
			stored := &shelves{byRef: map[Ref]*Pair{deleted.Ref: deleted}, admit: alter}
			rotator := &Rotator{Store: compared{stored}, Clock: SystemClock()}
			if _, err := rotator.Restore(t.Context(), deviceOwner, deleted.Ref); !errors.Is(err, ErrAltered) {
				t.Fatalf("the error is %v", err)
			}
			if left := stored.byRef[deleted.Ref]; left == nil || left.RefreshToken.Reveal() != "ghr_old" {
				t.Error("the only good copy was removed")
			}
		})
	}
}

func TestAnOfferThatAdmissionAltersIsNotMade(t *testing.T) {
	for name, alter := range map[string]func(*deviceWorld){
		"takes the code away":  func(w *deviceWorld) { w.codes.altered = true },
		"takes the state away": func(w *deviceWorld) { w.shelf.admit = func(p *Pair) { p.State.Device = nil } },
	} {
		t.Run(name, func(t *testing.T) {
			w := newAdmittedWorld(t, goodChain())
			alter(w)
			if _, err := w.rotator.Offer(t.Context(), w.job(w.shelf.pair.Clone()), anOffer(deviceCode), deviceCode); !errors.Is(err, ErrAltered) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestOfTwoCopiesTheOneCountsOfWhichMoreIsKnown(t *testing.T) {
	t.Run("whole tokens go before a login that is known beside altered ones", func(t *testing.T) {
		altered := goodChain()
		alterations["drops the refresh token"](altered)
		altered.State.Seeds = append(altered.State.Seeds, SeedRecord{Fingerprint: "later"})
		if got := newer(goodChain(), altered); got.RefreshToken.Reveal() != "ghr_old" {
			t.Error("the altered one counts")
		}
	})
	t.Run("what was computed from altered tokens goes after what was written", func(t *testing.T) {
		first, computed := goodChain(), goodChain()
		first.State.Revision = 1
		alterations["alters everything"](computed)
		computed.StateLost, computed.State.Seeds = false, first.State.Seeds
		if got := newer(computed, first); got.RefreshToken.Reveal() != "ghr_old" {
			t.Error("the altered one counts")
		}
	})
}
