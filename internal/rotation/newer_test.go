package rotation

import (
	"context"
	"testing"
)

// A newer version of the operator may mean something else by a field: what it has written is changed in nothing.
func TestRevocationLeavesAloneWhatANewerVersionHasWritten(t *testing.T) {
	newerState := func(p *Pair) { p.State.Format = StateFormat + 1 }
	newerIntent := func(p *Pair) { p.Intent = &Intent{ID: "x", Format: StateFormat + 1} }
	ended := func(p *Pair) { p.State.AccessTokenEnded = true }
	type amendment func(ctx context.Context, r *Rotator, read *Pair) (*Pair, bool, error)
	mark := func(ctx context.Context, r *Rotator, read *Pair) (*Pair, bool, error) {
		return r.MarkRevoked(ctx, deviceOwner, read.Ref, read.AccessToken.Fingerprint())
	}
	takeBack := func(ctx context.Context, r *Rotator, read *Pair) (*Pair, bool, error) {
		return r.ClearRevoked(ctx, deviceOwner, read.Ref, Policy{}, read.AccessToken.Fingerprint())
	}
	learn := func(ctx context.Context, r *Rotator, read *Pair) (*Pair, bool, error) {
		return r.LearnUser(ctx, deviceOwner, read, User{Login: "hubot", ID: 2})
	}
	for name, c := range map[string]struct {
		before []func(*Pair) // What stands in the Secret.
		during func(*Pair)   // What is written while it is amended; nil when nothing is.
		amend  amendment
		want   bool
	}{
		"a revocation is recorded in a state of this version":     {amend: mark, want: true},
		"a revocation is not recorded in a newer state":           {before: []func(*Pair){newerState}, amend: mark},
		"nor when a newer version takes over meanwhile":           {during: newerState, amend: mark},
		"one is taken back in a state of this version":            {before: []func(*Pair){ended}, amend: takeBack, want: true},
		"one is not taken back in a newer state":                  {before: []func(*Pair){ended, newerState}, amend: takeBack},
		"nor while a newer version exchanges":                     {before: []func(*Pair){ended, newerIntent}, amend: takeBack},
		"an account is noted in a state of this version":          {amend: learn, want: true},
		"an account is not noted in a newer state":                {before: []func(*Pair){newerState}, amend: learn},
		"an account is not noted while a newer version exchanges": {before: []func(*Pair){newerIntent}, amend: learn},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair = goodChain()
			for _, edit := range c.before {
				edit(w.shelf.pair)
			}
			read := w.shelf.pair.Clone()
			if c.during != nil {
				w.shelf.before = func(s *shelf) { s.edit(c.during) }
			}
			_, done, err := c.amend(t.Context(), w.rotator, read)
			if err != nil || done != c.want {
				t.Errorf("it was done: %t (%v), want %t", done, err, c.want)
			}
			state := w.shelf.pair.State
			if changed := state.AccessTokenEnded != read.State.AccessTokenEnded || *state.User != *read.State.User; changed != c.want {
				t.Errorf("the Secret was changed: %t, want %t", changed, c.want)
			}
		})
	}
}
