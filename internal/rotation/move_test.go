package rotation

import (
	"context"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// drawer is a Store with several Secrets, in which nothing goes wrong.
type drawer struct {
	Store

	secrets map[Ref]*Pair
}

func (d *drawer) Get(_ context.Context, ref Ref) (*Pair, error) {
	if pair := d.secrets[ref]; pair != nil {
		return pair.Clone(), nil
	}
	return nil, ErrNotFound
}

func (d *drawer) Update(_ context.Context, current, next *Pair) (*Pair, error) {
	d.secrets[current.Ref] = next.Clone()
	return next, nil
}

func (d *drawer) Remove(_ context.Context, pair *Pair) error {
	delete(d.secrets, pair.Ref)
	return nil
}

// A first fence may be made late, when its request was given up long ago, under a name that is not asked for any more. A later
// login has been imported by then: what was never sent must not be imported after it.
func TestMoveBringsNoLoginAlongThatWasNeverSent(t *testing.T) {
	login, place := credential.NewRefreshToken("ghr_older"), Ref{Namespace: "team-a", Name: "renamed"}
	for name, c := range map[string]struct {
		change func(r *Rotator, late *Pair)
		kept   bool
	}{
		"nothing was sent under it":                {func(*Rotator, *Pair) {}, false},
		"something was sent under it":              {func(r *Rotator, late *Pair) { r.markSent(deviceOwner, late.Intent) }, true},
		"something was sent before it":             {func(_ *Rotator, late *Pair) { late.Intent.Unresolved = 1 }, true},
		"another process knows what was sent":      {func(_ *Rotator, late *Pair) { late.Intent.Holder.Process = "another" }, true},
		"it is the login of a chain that it holds": {func(_ *Rotator, late *Pair) { late.RefreshToken = credential.NewRefreshToken("ghr_chain") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDeviceWorld().rotator
			late := &Pair{
				Ref: Ref{Namespace: "team-a", Name: "former"}, Owner: deviceOwner, Controlled: true, UID: "late",
				State:  State{Owner: deviceOwner.UID, PendingSeed: login.Fingerprint()},
				Intent: &Intent{ID: "late", Holder: r.Me, Spends: login.Fingerprint(), Login: true},
			}
			c.change(r, late)
			target := brokenChain()
			target.Ref = place
			if !late.RefreshToken.IsZero() {
				target.AccessToken, target.RefreshToken = credential.AccessToken{}, credential.RefreshToken{}
			}
			store := &drawer{secrets: map[Ref]*Pair{place: target, late.Ref: late}}
			r.Store = store
			if _, err := r.Move(t.Context(), deviceOwner, late.Ref, place, late.Intent.ID); err != nil {
				t.Fatal(err)
			}
			got := store.secrets[place]
			if kept := got.Intent != nil; kept != c.kept || kept != (got.State.PendingSeed != "") {
				t.Errorf("it is taken along: %t, pending %q under %+v", kept, got.State.PendingSeed, got.Intent)
			}
			if len(store.secrets) != 1 || got.RefreshToken.IsZero() {
				t.Errorf("%d Secrets are left, and the pair is %+v", len(store.secrets), got)
			}
			if c.kept {
				return
			}
			store.secrets[late.Ref] = late
			if err := r.merge(t.Context(), late, store.secrets[place]); err != nil {
				t.Fatal(err)
			}
			if got := store.secrets[place]; got.State.PendingSeed != "" || got.Intent != nil {
				t.Error("it is taken along where the two become one before a token is sent")
			}
		})
	}
}

// What somebody has pasted into the Secret waits there whatever becomes of a fence.
func TestMoveTakesAlongWhatWaitsInTheDataOfAFenceThatWasNeverSent(t *testing.T) {
	pasted, place := credential.NewRefreshToken("ghr_pasted"), Ref{Namespace: "team-a", Name: "renamed"}
	for name, fence := range map[string]Intent{
		"the fence is for a login of the seed": {Spends: "seed", Login: true},
		"the fence is for what was pasted":     {Spends: pasted.Fingerprint()},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDeviceWorld().rotator
			fence.ID, fence.Holder = "late", r.Me
			late := &Pair{
				Ref: Ref{Namespace: "team-a", Name: "former"}, Owner: deviceOwner, Controlled: true, UID: "late", SeedToken: pasted,
				State: State{Owner: deviceOwner.UID, PendingSeed: fence.Spends}, Intent: &fence,
			}
			target := brokenChain()
			target.Ref = place
			store := &drawer{secrets: map[Ref]*Pair{place: target, late.Ref: late}}
			r.Store = store
			if _, err := r.Move(t.Context(), deviceOwner, late.Ref, place, fence.ID); err != nil {
				t.Fatal(err)
			}
			if got := store.secrets[place]; got.SeedToken != pasted || got.State.PendingSeed != pasted.Fingerprint() || got.Intent != nil || got.RefreshToken.IsZero() {
				t.Errorf("the pair has %q pending under %+v", got.State.PendingSeed, got.Intent)
			}
		})
	}
}

// A move was cut short when the copy was made. At the Secret of the former name there was work since.
func TestMoveTakesAlongWhatHasBegunSinceTheCopyWasMade(t *testing.T) {
	pasted, place := credential.NewRefreshToken("ghr_pasted"), Ref{Namespace: "team-a", Name: "renamed"}
	another := Holder{Outbox: "b", Process: "another"}
	for name, change := range map[string]func(old *Pair){
		"a login was pasted":              func(old *Pair) { old.SeedToken = pasted },
		"a login was pasted and taken up": func(old *Pair) { old.SeedToken, old.State.PendingSeed = pasted, pasted.Fingerprint() },
		"a login from the seed has an unknown outcome": func(old *Pair) {
			old.Intent, old.State.PendingSeed = &Intent{ID: "late", Holder: another, Spends: pasted.Fingerprint(), Login: true}, pasted.Fingerprint()
		},
		"an exchange of the chain's token has an unknown outcome": func(old *Pair) {
			old.Intent = &Intent{ID: "late", Holder: another, Spends: old.State.RefreshToken, Unresolved: 1}
		},
	} {
		for _, merged := range []bool{false, true} {
			r := newDeviceWorld().rotator
			target := brokenChain()
			target.State.Verdict = nil
			old := target.Clone()
			target.Ref, target.UID = place, "target"
			change(old)
			store := &drawer{secrets: map[Ref]*Pair{place: target, old.Ref: old}}
			r.Store = store
			var err error
			if merged {
				err = r.merge(t.Context(), old, target)
			} else {
				settled := ""
				if old.Intent != nil {
					settled = old.Intent.ID
				}
				_, err = r.Move(t.Context(), deviceOwner, old.Ref, place, settled)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := store.secrets[place]
			if len(store.secrets) != 1 || got.RefreshToken != target.RefreshToken {
				t.Errorf("%s: %d Secrets are left", name, len(store.secrets))
			}
			if old.Intent == nil && (got.SeedToken != pasted || got.State.PendingSeed != pasted.Fingerprint()) {
				t.Errorf("%s: it is gone, and %q is pending", name, got.State.PendingSeed)
			}
			if old.Intent != nil && (got.Intent == nil || got.Intent.ID != old.Intent.ID || got.Intent.Unresolved != old.Intent.Unresolved) {
				t.Errorf("%s: nobody knows of it any more", name)
			}
		}
	}
}
