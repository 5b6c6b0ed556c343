package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

func goodChain() *Pair {
	pair := brokenChain()
	pair.State.Verdict = nil
	pair.NextRefreshAt = deviceNow.Add(5 * time.Hour)
	return pair
}

func TestARevocationIsWrittenOnlyOverTheTokenThatItIsAbout(t *testing.T) {
	access := goodChain().AccessToken.Fingerprint()
	for name, c := range map[string]struct {
		before func(*Pair)
		during func(*shelf)
		want   bool
	}{
		"the token is still there": {nil, nil, true},
		"a label was edited":       {nil, func(s *shelf) { s.edit(func(*Pair) {}) }, true},
		"it was known to be of no more use": {func(p *Pair) {
			p.State.Verdict = &Verdict{Reason: ReasonRefreshTokenRejected}
		}, nil, true},
		"it was replaced meanwhile": {nil, func(s *shelf) {
			s.edit(func(p *Pair) {
				p.AccessToken = credential.NewAccessToken("ghu_next")
				p.State.AccessToken = p.AccessToken.Fingerprint()
			})
		}, false},
		"an exchange is under way":    {nil, func(s *shelf) { s.edit(func(p *Pair) { p.Intent = &Intent{ID: "x"} }) }, false},
		"it is under way already":     {func(p *Pair) { p.Intent = &Intent{ID: "x"} }, nil, false},
		"somebody edited the token":   {func(p *Pair) { p.AccessToken = credential.NewAccessToken("ghu_x") }, nil, false},
		"the Secret is being deleted": {func(p *Pair) { p.Deleting = true }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair, w.shelf.before = goodChain(), c.during
			if c.before != nil {
				c.before(w.shelf.pair)
			}
			_, marked, err := w.rotator.MarkRevoked(context.Background(), deviceOwner, w.shelf.pair.Ref, access)
			if err != nil || marked != c.want {
				t.Errorf("marked: %v (%v), want %v", marked, err, c.want)
			}
			if got := w.shelf.pair.State.AccessTokenEnded; got != c.want {
				t.Errorf("the Secret says that it has ended: %v", got)
			}
			if _, held := w.shelf.pair.token(w.shelf.pair.State.RefreshToken); !held {
				t.Error("the refresh token is gone")
			}
		})
	}
}

func TestARevocationThatWasAMistakeIsTakenBack(t *testing.T) {
	w := newDeviceWorld()
	w.shelf.pair = goodChain()
	ref, access := w.shelf.pair.Ref, w.shelf.pair.AccessToken.Fingerprint()
	if _, marked, err := w.rotator.MarkRevoked(context.Background(), deviceOwner, ref, access); !marked || err != nil {
		t.Fatal(marked, err)
	}
	if !w.shelf.pair.NextRefreshAt.IsZero() {
		t.Error("a revoked token is said to be refreshed")
	}
	if _, cleared, err := w.rotator.ClearRevoked(context.Background(), deviceOwner, ref, Policy{}, access); !cleared || err != nil {
		t.Fatal(cleared, err)
	}
	if w.shelf.pair.State.Verdict != nil || w.shelf.pair.NextRefreshAt.IsZero() {
		t.Errorf("it is still of no use: %+v", w.shelf.pair.State)
	}
	// Without a refresh token the access token is all there is, and the verdict goes with what it rests on.
	w.shelf.pair = goodChain()
	w.shelf.pair.RefreshToken, w.shelf.pair.State.RefreshToken = credential.RefreshToken{}, ""
	if _, marked, err := w.rotator.MarkRevoked(context.Background(), deviceOwner, ref, access); !marked || err != nil {
		t.Fatal(marked, err)
	}
	if verdict := w.shelf.pair.State.Verdict; verdict == nil || verdict.Reason != ReasonRevoked {
		t.Errorf("nobody is told to log in: %+v", verdict)
	}
	if _, cleared, err := w.rotator.ClearRevoked(context.Background(), deviceOwner, ref, Policy{}, access); !cleared || err != nil || w.shelf.pair.State.Verdict != nil {
		t.Error(cleared, err, w.shelf.pair.State.Verdict)
	}
	// A verdict of another kind is not for a check to take back.
	w.shelf.pair = brokenChain()
	if _, cleared, err := w.rotator.ClearRevoked(context.Background(), deviceOwner, ref, Policy{}, access); cleared || err != nil {
		t.Error(cleared, err)
	}
}

func TestTheAccountIsLearntForTheLoginThatToldIt(t *testing.T) {
	user := User{Login: "octocat", ID: 583231}
	for name, c := range map[string]struct {
		during func(*shelf)
		want   bool
	}{
		"nothing has happened": {nil, true},
		"the token was refreshed meanwhile": {func(s *shelf) {
			s.edit(func(p *Pair) {
				p.AccessToken = credential.NewAccessToken("ghu_next")
				p.State.AccessToken = p.AccessToken.Fingerprint()
			})
		}, true},
		"somebody logged in anew meanwhile": {func(s *shelf) {
			s.edit(func(p *Pair) { p.State.Seeds = append(p.State.Seeds, SeedRecord{Fingerprint: "newer"}) })
		}, false},
		"a newer seed was refused meanwhile": {func(s *shelf) {
			s.edit(func(p *Pair) {
				p.State.Seeds = append(p.State.Seeds, SeedRecord{Fingerprint: "bad", RefusedFor: "app"})
			})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld()
			w.shelf.pair, w.shelf.before = goodChain(), c.during
			w.shelf.pair.State.User = nil
			_, learnt, err := w.rotator.LearnUser(context.Background(), deviceOwner, w.shelf.pair.Clone(), user)
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
	for _, reason := range []string{ReasonRefreshTokenRejected, ReasonReplyLost, ReasonRefreshTokenExpired, ReasonRevoked} {
		w := newDeviceWorld()
		w.shelf.pair = goodChain()
		w.shelf.pair.State.Verdict = &Verdict{Reason: reason, Fingerprint: w.shelf.pair.RefreshToken.Fingerprint()}
		ref, access := w.shelf.pair.Ref, w.shelf.pair.AccessToken.Fingerprint()
		if _, marked, err := w.rotator.MarkRevoked(context.Background(), deviceOwner, ref, access); !marked || err != nil {
			t.Fatal(marked, err)
		}
		if verdict := w.shelf.pair.State.Verdict; verdict == nil || verdict.Reason != reason {
			t.Errorf("%s became %+v", reason, verdict)
		}
		if _, cleared, err := w.rotator.ClearRevoked(context.Background(), deviceOwner, ref, Policy{}, access); !cleared || err != nil {
			t.Fatal(cleared, err)
		}
		if verdict := w.shelf.pair.State.Verdict; verdict == nil || verdict.Reason != reason {
			t.Errorf("%s was taken back by a check: %+v", reason, verdict)
		}
	}
}

func TestTheRefusalAfterADeadAccessTokenIsARevocation(t *testing.T) {
	pair := goodChain()
	pair.Intent = &Intent{ID: "1", Spends: pair.State.RefreshToken}
	for ended, want := range map[bool]string{true: ReasonRevoked, false: ReasonRefreshTokenRejected} {
		pair.State.AccessTokenEnded = ended
		next, reason := pairCondemned(pair, verdict{spent: pair.State.RefreshToken, intentID: "1"}, deviceNow)
		if reason != want || next.State.Verdict.Reason != want || next.State.AccessTokenEnded != ended {
			t.Errorf("ended %t: %s, %+v", ended, reason, next.State)
		}
	}
}
