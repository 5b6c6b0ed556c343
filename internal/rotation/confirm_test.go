package rotation

import (
	"context"
	"errors"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// sent is an Exchanger that counts what is sent.
type sent struct{ tokens []string }

func (s *sent) Exchange(_ context.Context, _ github.App, token credential.RefreshToken) (*github.Reply, error) {
	s.tokens = append(s.tokens, token.Reveal())
	return said(pairReply), nil
}

// making is a Store whose new Secrets are as an API server makes them.
type making struct{ *shelves }

func (m making) Create(ctx context.Context, pair *Pair) (*Pair, error) {
	made := pair.Clone()
	made.UID, made.Controlled = "secret", true
	return m.shelves.Create(ctx, made)
}

func TestConfirmOfALogin(t *testing.T) {
	const imported = "seed/refresh_token@uid/1"
	seed := credential.NewRefreshToken("ghr_seed")
	away := errors.New("the cache is away")
	chain := func() *Pair {
		pair := brokenChain()
		pair.State.Verdict, pair.State.SeedVersion = nil, imported
		return pair
	}
	pending := func(pair *Pair) *Pair {
		pair.SeedToken, pair.State.PendingSeed, pair.State.SeedVersion = seed, seed.Fingerprint(), "seed/refresh_token@uid/2"
		pair.Intent = &Intent{ID: "earlier", Spends: seed.Fingerprint(), App: deviceApp.Key()}
		return pair
	}
	empty := func() *Pair {
		return &Pair{Ref: brokenChain().Ref, Owner: deviceOwner, UID: "secret", Version: "0", Controlled: true, State: State{Owner: "uid", App: deviceApp.Key()}}
	}
	cases := map[string]struct {
		pair    *Pair
		action  Action
		confirm error
		outcome Outcome
		sent    bool
		asked   bool
		// left is the version of the seed that the state tells afterwards; gone that there is no Secret.
		left string
		gone bool
	}{
		"the first login of a resource":               {nil, ActionImport, nil, Committed, true, true, "new", false},
		"a new login beside a chain":                  {chain(), ActionImport, nil, Committed, true, true, "new", false},
		"a login that an earlier try has begun":       {pending(chain()), ActionResolve, nil, Committed, true, true, "seed/refresh_token@uid/2", false},
		"the chain's own token is not asked about":    {chain(), ActionRefresh, ErrTokenInUse, Committed, true, false, "seed/refresh_token@uid/1", false},
		"somebody else's, in a Secret made for it":    {nil, ActionImport, ErrTokenInUse, Stale, false, true, "", true},
		"somebody else's, in one made before for it":  {pending(empty()), ActionResolve, ErrTokenInUse, Stale, false, true, "", true},
		"somebody else's, beside a chain":             {chain(), ActionImport, ErrTokenInUse, Stale, false, true, "seed/refresh_token@uid/1", false},
		"somebody else's, after an earlier try of it": {pending(chain()), ActionResolve, ErrTokenInUse, Stale, false, true, "", false},
		"nobody knows whose":                          {nil, ActionImport, away, NotFenced, false, true, "new", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, out := newDeviceWorld(), &sent{}
			store := &shelves{byRef: map[Ref]*Pair{}}
			w.rotator.Store, w.rotator.Exchanger = making{store}, out
			job := Job{
				Owner: deviceOwner, Ref: brokenChain().Ref, App: deviceApp, Pair: c.pair, SeedVersion: "new",
				Decision: Decision{Action: c.action, Cause: CauseNewSeed, Spends: seed.Fingerprint()},
			}
			if c.action == ActionImport {
				job.Seed = seed
			}
			if c.action == ActionRefresh {
				job.Decision.Spends = c.pair.State.RefreshToken
			}
			if c.pair != nil {
				var err error
				if job.Pair, err = store.put(c.pair); err != nil {
					t.Fatal(err)
				}
			}
			asked := false
			w.rotator.Confirm = func(ctx context.Context, _ Job, fenced *Pair) error {
				asked = true
				if _, bounded := ctx.Deadline(); !bounded || fenced.Intent == nil || len(out.tokens) > 0 {
					t.Errorf("asked about %+v, after %v was sent", fenced, out.tokens)
				}
				return c.confirm
			}
			result := w.rotator.Rotate(t.Context(), job)
			if result.Outcome != c.outcome || c.confirm != nil && c.asked && !errors.Is(result.Err, c.confirm) {
				t.Errorf("the outcome is %s, %v", result.Outcome, result.Err)
			}
			if asked != c.asked || len(out.tokens) > 0 != c.sent {
				t.Errorf("asked: %t, sent: %v", asked, out.tokens)
			}
			live, err := store.Get(t.Context(), job.Ref)
			if c.gone {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("there is %+v, %v", live, err)
				}
				return
			}
			if err != nil || live.State.SeedVersion != c.left {
				t.Fatalf("the state is %+v, %v", live, err)
			}
			if fence := c.outcome == NotFenced; fence != (live.Intent != nil) || fence != (live.State.PendingSeed != "") {
				t.Errorf("the fence stands: %+v", live)
			}
			if c.outcome == Stale && (live.RefreshToken.Reveal() != "ghr_old" || live.AccessToken.Reveal() != "ghu_old") {
				t.Error("the chain has lost its pair")
			}
		})
	}
}
