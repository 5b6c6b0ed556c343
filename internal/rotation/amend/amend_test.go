package amend

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// shelf is a Store of one Secret. before, if set, runs before each write, as somebody else would.
type shelf struct {
	rotation.Store

	pair    *rotation.Pair
	version int
	before  func(*shelf)
}

func (s *shelf) Get(context.Context, rotation.Ref) (*rotation.Pair, error) {
	return s.pair.Clone(), nil
}

func (s *shelf) Update(_ context.Context, current, next *rotation.Pair) (*rotation.Pair, error) {
	if before := s.before; before != nil {
		s.before = nil
		before(s)
	}
	if current.Version != s.pair.Version {
		return nil, rotation.ErrConflict
	}
	s.put(next.Clone())
	return s.pair.Clone(), nil
}

func (s *shelf) put(pair *rotation.Pair) {
	s.version++
	pair.Version = strconv.Itoa(s.version)
	s.pair = pair
}

// edit is a write of somebody else.
func (s *shelf) edit(change func(*rotation.Pair)) {
	next := s.pair.Clone()
	change(next)
	s.put(next)
}

type world struct {
	amender Amender
	shelf   *shelf
}

func newWorld() *world {
	w := &world{shelf: &shelf{}}
	w.amender = Amender{Store: w.shelf, Clock: rotation.SystemClock()}
	return w
}

var (
	now   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	owner = rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "uid"}
)

func goodChain() *rotation.Pair {
	access, refresh := credential.NewAccessToken("ghu_old"), credential.NewRefreshToken("ghr_old")
	return &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: owner, UID: "secret", Version: "0", Controlled: true,
		AccessToken: access, RefreshToken: refresh, NextRefreshAt: now.Add(5 * time.Hour),
		State: rotation.State{
			Owner: "uid", OwnerName: "octocat", App: "github.com/Iv23li", Revision: 7, RefreshCount: 7,
			AccessToken: access.Fingerprint(), RefreshToken: refresh.Fingerprint(),
			IssuedAt: now.Add(-time.Hour), ExpiresAt: now.Add(7 * time.Hour),
			Seeds: []rotation.SeedRecord{{Fingerprint: "seed"}}, User: &rotation.User{Login: "octocat", ID: 1},
		},
	}
}

func brokenChain() *rotation.Pair {
	pair := goodChain()
	pair.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected, Fingerprint: pair.State.RefreshToken, Time: now}
	return pair
}

func TestARevocationIsWrittenOnlyOverTheTokenThatItIsAbout(t *testing.T) {
	access := goodChain().AccessToken.Fingerprint()
	for name, c := range map[string]struct {
		before func(*rotation.Pair)
		during func(*shelf)
		want   bool
	}{
		"the token is still there": {nil, nil, true},
		"a label was edited":       {nil, func(s *shelf) { s.edit(func(*rotation.Pair) {}) }, true},
		"it was known to be of no more use": {func(p *rotation.Pair) {
			p.State.Verdict = &rotation.Verdict{Reason: rotation.ReasonRefreshTokenRejected}
		}, nil, true},
		"it was replaced meanwhile": {nil, func(s *shelf) {
			s.edit(func(p *rotation.Pair) {
				p.AccessToken = credential.NewAccessToken("ghu_next")
				p.State.AccessToken = p.AccessToken.Fingerprint()
			})
		}, false},
		"an exchange is under way":    {nil, func(s *shelf) { s.edit(func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "x"} }) }, false},
		"it is under way already":     {func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "x"} }, nil, false},
		"somebody edited the token":   {func(p *rotation.Pair) { p.AccessToken = credential.NewAccessToken("ghu_x") }, nil, false},
		"the Secret is being deleted": {func(p *rotation.Pair) { p.Deleting = true }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.shelf.pair, w.shelf.before = goodChain(), c.during
			if c.before != nil {
				c.before(w.shelf.pair)
			}
			_, marked, err := w.amender.MarkRevoked(context.Background(), owner, w.shelf.pair.Ref, access)
			if err != nil || marked != c.want {
				t.Errorf("marked: %v (%v), want %v", marked, err, c.want)
			}
			if got := w.shelf.pair.State.AccessTokenEnded; got != c.want {
				t.Errorf("the Secret says that it has ended: %v", got)
			}
			if _, held := w.shelf.pair.RefreshToken, w.shelf.pair.Holds(w.shelf.pair.State.RefreshToken); !held {
				t.Error("the refresh token is gone")
			}
		})
	}
}

func TestARevocationThatWasAMistakeIsTakenBack(t *testing.T) {
	w := newWorld()
	w.shelf.pair = goodChain()
	ref, access := w.shelf.pair.Ref, w.shelf.pair.AccessToken.Fingerprint()
	if _, marked, err := w.amender.MarkRevoked(context.Background(), owner, ref, access); !marked || err != nil {
		t.Fatal(marked, err)
	}
	if !w.shelf.pair.NextRefreshAt.IsZero() {
		t.Error("a revoked token is said to be refreshed")
	}
	if _, cleared, err := w.amender.ClearRevoked(context.Background(), owner, ref, rotation.Policy{}, access); !cleared || err != nil {
		t.Fatal(cleared, err)
	}
	if w.shelf.pair.State.Verdict != nil || w.shelf.pair.NextRefreshAt.IsZero() {
		t.Errorf("it is still of no use: %+v", w.shelf.pair.State)
	}
	// Without a refresh token the access token is all there is, and the verdict goes with what it rests on.
	w.shelf.pair = goodChain()
	w.shelf.pair.RefreshToken, w.shelf.pair.State.RefreshToken = credential.RefreshToken{}, ""
	if _, marked, err := w.amender.MarkRevoked(context.Background(), owner, ref, access); !marked || err != nil {
		t.Fatal(marked, err)
	}
	if verdict := w.shelf.pair.State.Verdict; verdict == nil || verdict.Reason != rotation.ReasonRevoked {
		t.Errorf("nobody is told to log in: %+v", verdict)
	}
	if _, cleared, err := w.amender.ClearRevoked(context.Background(), owner, ref, rotation.Policy{}, access); !cleared || err != nil || w.shelf.pair.State.Verdict != nil {
		t.Error(cleared, err, w.shelf.pair.State.Verdict)
	}
	// A verdict of another kind is not for a check to take back.
	w.shelf.pair = brokenChain()
	if _, cleared, err := w.amender.ClearRevoked(context.Background(), owner, ref, rotation.Policy{}, access); cleared || err != nil {
		t.Error(cleared, err)
	}
}

func TestTheAccountIsLearntForTheLoginThatToldIt(t *testing.T) {
	user := rotation.User{Login: "octocat", ID: 583231}
	for name, c := range map[string]struct {
		during func(*shelf)
		want   bool
	}{
		"nothing has happened": {nil, true},
		"the token was refreshed meanwhile": {func(s *shelf) {
			s.edit(func(p *rotation.Pair) {
				p.AccessToken = credential.NewAccessToken("ghu_next")
				p.State.AccessToken = p.AccessToken.Fingerprint()
			})
		}, true},
		"somebody logged in anew meanwhile": {func(s *shelf) {
			s.edit(func(p *rotation.Pair) {
				p.State.Seeds = append(p.State.Seeds, rotation.SeedRecord{Fingerprint: "newer"})
			})
		}, false},
		"a newer seed was refused meanwhile": {func(s *shelf) {
			s.edit(func(p *rotation.Pair) {
				p.State.Seeds = append(p.State.Seeds, rotation.SeedRecord{Fingerprint: "bad", RefusedFor: "app"})
			})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.shelf.pair, w.shelf.before = goodChain(), c.during
			w.shelf.pair.State.User = nil
			_, learnt, err := w.amender.LearnUser(context.Background(), owner, w.shelf.pair.Clone(), user)
			if err != nil || learnt != c.want {
				t.Errorf("learnt: %v (%v), want %v", learnt, err, c.want)
			}
			if got := w.shelf.pair.State.User; (got != nil && *got == user) != c.want {
				t.Errorf("the account is %v", got)
			}
		})
	}
}

// Why the refresh token is of no more use is known by then, and a person has been told.
func TestADeadAccessTokenChangesNoVerdict(t *testing.T) {
	for _, reason := range []string{rotation.ReasonRefreshTokenRejected, rotation.ReasonReplyLost, rotation.ReasonRefreshTokenExpired, rotation.ReasonRevoked} {
		w := newWorld()
		w.shelf.pair = goodChain()
		w.shelf.pair.State.Verdict = &rotation.Verdict{Reason: reason, Fingerprint: w.shelf.pair.RefreshToken.Fingerprint()}
		ref, access := w.shelf.pair.Ref, w.shelf.pair.AccessToken.Fingerprint()
		if _, marked, err := w.amender.MarkRevoked(context.Background(), owner, ref, access); !marked || err != nil {
			t.Fatal(marked, err)
		}
		if verdict := w.shelf.pair.State.Verdict; verdict == nil || verdict.Reason != reason {
			t.Errorf("%s became %+v", reason, verdict)
		}
		if _, cleared, err := w.amender.ClearRevoked(context.Background(), owner, ref, rotation.Policy{}, access); !cleared || err != nil {
			t.Fatal(cleared, err)
		}
		if verdict := w.shelf.pair.State.Verdict; verdict == nil || verdict.Reason != reason {
			t.Errorf("%s was taken back by a check: %+v", reason, verdict)
		}
	}
}

// A newer version of the operator may mean something else by a field: what it has written is changed in nothing.
func TestRevocationLeavesAloneWhatANewerVersionHasWritten(t *testing.T) {
	newerState := func(p *rotation.Pair) { p.State.Format = rotation.StateFormat + 1 }
	newerIntent := func(p *rotation.Pair) { p.Intent = &rotation.Intent{ID: "x", Format: rotation.StateFormat + 1} }
	ended := func(p *rotation.Pair) { p.State.AccessTokenEnded = true }
	type amendment func(ctx context.Context, r Amender, read *rotation.Pair) (*rotation.Pair, bool, error)
	mark := func(ctx context.Context, r Amender, read *rotation.Pair) (*rotation.Pair, bool, error) {
		return r.MarkRevoked(ctx, owner, read.Ref, read.AccessToken.Fingerprint())
	}
	takeBack := func(ctx context.Context, r Amender, read *rotation.Pair) (*rotation.Pair, bool, error) {
		return r.ClearRevoked(ctx, owner, read.Ref, rotation.Policy{}, read.AccessToken.Fingerprint())
	}
	learn := func(ctx context.Context, r Amender, read *rotation.Pair) (*rotation.Pair, bool, error) {
		return r.LearnUser(ctx, owner, read, rotation.User{Login: "hubot", ID: 2})
	}
	for name, c := range map[string]struct {
		before []func(*rotation.Pair) // What stands in the Secret.
		during func(*rotation.Pair)   // What is written while it is amended; nil when nothing is.
		amend  amendment
		want   bool
	}{
		"a revocation is recorded in a state of this version":     {amend: mark, want: true},
		"a revocation is not recorded in a newer state":           {before: []func(*rotation.Pair){newerState}, amend: mark},
		"nor when a newer version takes over meanwhile":           {during: newerState, amend: mark},
		"one is taken back in a state of this version":            {before: []func(*rotation.Pair){ended}, amend: takeBack, want: true},
		"one is not taken back in a newer state":                  {before: []func(*rotation.Pair){ended, newerState}, amend: takeBack},
		"nor while a newer version exchanges":                     {before: []func(*rotation.Pair){ended, newerIntent}, amend: takeBack},
		"an account is noted in a state of this version":          {amend: learn, want: true},
		"an account is not noted in a newer state":                {before: []func(*rotation.Pair){newerState}, amend: learn},
		"an account is not noted while a newer version exchanges": {before: []func(*rotation.Pair){newerIntent}, amend: learn},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.shelf.pair = goodChain()
			for _, edit := range c.before {
				edit(w.shelf.pair)
			}
			read := w.shelf.pair.Clone()
			if c.during != nil {
				w.shelf.before = func(s *shelf) { s.edit(c.during) }
			}
			_, done, err := c.amend(t.Context(), w.amender, read)
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
