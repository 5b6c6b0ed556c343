package rotation

import (
	"context"
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

func TestACommitGoesOnFromWhatStandsThere(t *testing.T) {
	login := credential.NewRefreshToken("ghr_seed")
	base := brokenChain()
	record := Record{
		ID: "1", Ref: base.Ref, Owner: deviceOwner, App: deviceApp.Key(), Spent: login.Fingerprint(), Login: true,
		Base: base.State, Reply: said(pairReply),
	}
	commit := func(t *testing.T, live *Pair) *Pair {
		t.Helper()
		w := newDeviceWorld()
		if _, err := w.shelf.put(live); err != nil {
			t.Fatal(err)
		}
		if result := w.rotator.Replay(t.Context(), deviceApp, record); result.Outcome != Committed {
			t.Fatalf("the outcome is %s: %v", result.Outcome, result.Err)
		}
		return w.shelf.pair
	}
	t.Run("a chain that was adopted meanwhile stays with its new owner", func(t *testing.T) {
		adopted := brokenChain()
		adopted.SeedToken, adopted.State.PendingSeed = login, login.Fingerprint()
		adopted.Owner.UID = "next"
		adopted.State.Owner = "next"
		if stored := commit(t, adopted); stored.State.Owner != "next" || stored.State.RefreshCount != 1 {
			t.Errorf("the chain is bound to %s after %d refreshes", stored.State.Owner, stored.State.RefreshCount)
		}
	})
	t.Run("an old copy that was put in its place learns of later logins", func(t *testing.T) {
		older := brokenChain()
		older.State.Revision, older.State.Seeds = 3, []SeedRecord{{Fingerprint: "first"}}
		record.Base.Seeds = []SeedRecord{{Fingerprint: "first"}, {Fingerprint: "seed"}}
		stored := commit(t, older)
		for _, seed := range []credential.Fingerprint{"first", "seed", login.Fingerprint()} {
			if !stored.State.HasImported(seed) {
				t.Errorf("the chain does not know that it has imported %q", seed)
			}
		}
	})
}

// heirs are shelves on which a resource is gone: nothing is created for it. Its pair has a new owner, under another name.
type heirs struct{ *shelves }

func (h heirs) Gone(context.Context, Owner) (bool, error) { return true, nil }

func (h heirs) Create(context.Context, *Pair) (*Pair, error) { return nil, ErrOwnerGone }

func (h heirs) Locate(_ context.Context, owner Owner) (refs []Ref, err error) {
	for ref, pair := range h.byRef {
		if owner.UID == "" || owner.UID == pair.Owner.UID {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// A resource is deleted with the policy Retain in the middle of an exchange, and the next one of its name, which asks for
// another Secret, has taken the pair up and moved it.
func TestCommitFindsAPairThatTheNextResourceHasMoved(t *testing.T) {
	login := credential.Fingerprint("login")
	for name, test := range map[string]struct {
		holds string
		// login is that of a login from the seed, of which the next resource has found that it is spent.
		login credential.Fingerprint
		want  Outcome
	}{
		"what the exchange began with is found":       {"spent", "", Committed},
		"a chain that knows nothing of it is no heir": {"another", "", Discarded},
		"a login that was condemned is found":         {"spent", login, Committed},
		"another login that was condemned is not":     {"spent", "another login", Discarded},
	} {
		t.Run(name, func(t *testing.T) {
			former, next := Owner{Namespace: "n", Name: "a", UID: "former"}, Owner{Namespace: "n", Name: "a", UID: "next"}
			moved := stored(next, Ref{Namespace: "n", Name: "renamed"}, test.holds)
			moved.State.Seeds = []SeedRecord{{Fingerprint: "seed-spent"}}
			base := stored(former, Ref{Namespace: "n", Name: "pair"}, "spent")
			record := Record{ID: "1", Ref: base.Ref, Owner: former, App: "app", Spent: base.State.RefreshToken, SecretUID: base.UID, Base: base.State, Reply: said(pairReply)}
			if test.login != "" {
				record.Spent, record.Login = login, true
				moved.State.SeedVerdict = &Verdict{Reason: ReasonReplyLost, Fingerprint: test.login}
				moved.State.Seeds = append(moved.State.Seeds, SeedRecord{Fingerprint: test.login, RefusedFor: "app"})
			}
			h := heirs{&shelves{byRef: map[Ref]*Pair{moved.Ref: moved}}}
			w := newDeviceWorld()
			w.rotator.Store = h
			result := w.rotator.Replay(t.Context(), deviceApp, record)
			if result.Outcome != test.want {
				t.Errorf("the outcome is %s: %v", result.Outcome, result.Err)
			}
			if got := h.byRef[moved.Ref]; test.want == Committed && (got.State.Owner != "next" || got.RefreshToken == moved.RefreshToken) {
				t.Errorf("stored for %s: %s", got.State.Owner, got.State.RefreshToken.Short())
			}
		})
	}
}

// movers are shelves on which a pair has moved while its exchange was under way: a Secret of that name may be made anew.
type movers struct{ heirs }

func (m movers) Gone(context.Context, Owner) (bool, error) { return false, nil }

func (m movers) Create(_ context.Context, pair *Pair) (*Pair, error) {
	m.byRef[pair.Ref] = pair
	return pair, nil
}

// The pair moves to another name between the fence and the commit. It is stored there, and not in a second Secret of the
// former name.
func TestCommitFindsAPairThatHasMoved(t *testing.T) {
	owner := Owner{Namespace: "n", Name: "a", UID: "uid"}
	moved := stored(owner, Ref{Namespace: "n", Name: "renamed"}, "spent")
	m := movers{heirs{&shelves{byRef: map[Ref]*Pair{moved.Ref: moved}}}}
	base := stored(owner, Ref{Namespace: "n", Name: "pair"}, "spent")
	w := newDeviceWorld()
	w.rotator.Store = m
	result := w.rotator.Replay(t.Context(), deviceApp, Record{
		ID: "1", Ref: base.Ref, Owner: owner, App: "app", Spent: base.State.RefreshToken, SecretUID: base.UID, Base: base.State, Reply: said(pairReply),
	})
	if result.Outcome != Committed || result.Pair == nil || result.Pair.Ref != moved.Ref {
		t.Fatalf("the outcome is %s in %+v: %v", result.Outcome, result.Pair, result.Err)
	}
	if len(m.byRef) != 1 || m.byRef[moved.Ref].State.RefreshToken == moved.State.RefreshToken {
		t.Errorf("there are %d Secrets, and the pair holds %s", len(m.byRef), m.byRef[moved.Ref].State.RefreshToken.Short())
	}
}

// replacers are heirs of which one is just replacing its Secret: when it was seen it is put into its place.
type replacers struct {
	heirs

	placed *Pair
}

func (r replacers) Get(ctx context.Context, ref Ref) (*Pair, error) {
	if backup := r.placed.Owner.BackupRef(); ref == backup && r.byRef[backup] != nil {
		delete(r.byRef, backup)
		r.byRef[r.placed.Ref] = r.placed
	}
	return r.heirs.Get(ctx, ref)
}

// The next resource of the name is just replacing its Secret, so that the pair stands in a backup alone, or in its place again
// when it is looked at.
func TestCommitFindsAPairThatTheNextResourceIsReplacing(t *testing.T) {
	former, next := Owner{Namespace: "n", Name: "a", UID: "former"}, Owner{Namespace: "n", Name: "a", UID: "next"}
	base := stored(former, Ref{Namespace: "n", Name: "pair"}, "spent")
	record := Record{ID: "1", Ref: base.Ref, Owner: former, App: "app", Spent: base.State.RefreshToken, SecretUID: base.UID, Base: base.State, Reply: said(pairReply)}
	for name, place := range map[string]Ref{"in the same place": base.Ref, "in another": {Namespace: "n", Name: "renamed"}} {
		t.Run(name, func(t *testing.T) {
			backup := stored(next, next.BackupRef(), "spent")
			shelf := &shelves{byRef: map[Ref]*Pair{backup.Ref: backup}}
			w := newDeviceWorld()
			w.rotator.Store = replacers{heirs{shelf}, stored(next, place, "spent")}
			result := w.rotator.Replay(t.Context(), deviceApp, record)
			if result.Outcome != Committed || result.Pair.Ref != place || result.Pair.Owner != next || result.Pair.RefreshToken.Reveal() != "ghr_new" {
				t.Errorf("the outcome is %s: %v", result.Outcome, result.Err)
			}
		})
	}
}

// What this process has sent under an intent it has sent for the former resource too.
func TestAnAdoptedIntentIsNotTakenForOneUnderWhichNothingWasSent(t *testing.T) {
	chain := brokenChain()
	chain.State.Verdict = nil
	r := newDeviceWorld().rotator
	intent := &Intent{ID: "1", Holder: r.Me, Spends: chain.State.RefreshToken}
	r.markSent(deviceOwner, intent)
	chain.Intent = intent
	retained := chain.AsRetained()
	r.Store = &drawer{secrets: map[Ref]*Pair{retained.Ref: retained}}
	r.Forget(deviceOwner)
	next := Owner{Namespace: deviceOwner.Namespace, Name: deviceOwner.Name, UID: "next"}
	adopted, err := r.Adopt(t.Context(), next, retained)
	if err != nil {
		t.Fatal(err)
	}
	if adopted.Intent == nil || r.IsUntouched(next, adopted.Intent) {
		t.Errorf("nothing is said to have been sent under %+v", adopted.Intent)
	}
}

// The resource has begun a login of its own, whose fence stands in a backup while its Secret is replaced, when it takes up the pair
// that a former one has left under another name. The login is not begun again as long as somebody may be at work on it.
func TestARetainedPairIsTakenUpWithTheLoginInTheBackup(t *testing.T) {
	next := Owner{Namespace: deviceOwner.Namespace, Name: deviceOwner.Name, UID: "next"}
	login := credential.NewRefreshToken("ghr_seed").Fingerprint()
	for name, c := range map[string]struct {
		owner Owner
		taken bool
	}{
		"its own backup":            {next, true},
		"that of a former resource": {deviceOwner, false},
		"there is none beside it":   {Owner{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			chain := brokenChain()
			chain.State.Verdict = nil
			retained := chain.AsRetained()
			secrets := map[Ref]*Pair{retained.Ref: retained}
			if c.owner.UID != "" {
				secrets[next.BackupRef()] = &Pair{
					Ref: next.BackupRef(), Owner: c.owner, Controlled: true, State: State{Owner: c.owner.UID, PendingSeed: login},
					Intent: &Intent{ID: "b", Holder: Holder{Outbox: "b", Process: "b"}, Spends: login, Login: true},
				}
			}
			r := newDeviceWorld().rotator
			r.Store = &drawer{secrets: secrets}
			adopted, err := r.Adopt(t.Context(), next, retained)
			switch {
			case err != nil:
				t.Fatal(err)
			case (adopted.Intent != nil) != c.taken, (adopted.State.PendingSeed == login) != c.taken:
				t.Errorf("the login is pending: %q, under %+v", adopted.State.PendingSeed, adopted.Intent)
			case adopted.RefreshToken != retained.RefreshToken || adopted.Owner != next:
				t.Error("the pair was not taken up")
			}
		})
	}
}

// The pair of the resource stands in a backup alone, to be put back where a former one's pair stands: by their logins neither tells which
// is the later, so that the former's would be kept, and the resource's own would go with its backup.
func TestARetainedPairIsNotTakenUpBesideThePairInTheBackup(t *testing.T) {
	next := Owner{Namespace: deviceOwner.Namespace, Name: deviceOwner.Name, UID: "next"}
	for name, c := range map[string]struct {
		of   Owner
		want error
	}{
		"that of a former resource":                      {deviceOwner, ErrNotOwned},
		"its own, which somebody took its reference off": {next, nil},
	} {
		t.Run(name, func(t *testing.T) {
			orphan := brokenChain()
			orphan.State.Verdict, orphan.State.Owner = nil, c.of.UID
			orphan.Owner, orphan.Controlled, orphan.Orphan = Owner{}, false, true
			backup := stored(next, next.BackupRef(), "own")
			r := newDeviceWorld().rotator
			r.Store = &drawer{secrets: map[Ref]*Pair{orphan.Ref: orphan, backup.Ref: backup}}
			if _, err := r.Adopt(t.Context(), next, orphan); !errors.Is(err, c.want) {
				t.Errorf("it ends with %v, want %v", err, c.want)
			}
		})
	}
}
