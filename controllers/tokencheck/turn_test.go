package tokencheck

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// While there is no turn nothing is started: neither a worker nor a live read is spent on it.
func TestTokenCheckThatHasNoTurnIsMadeWhenItHasOne(t *testing.T) {
	octocat := reply{alive: true, user: github.User{Login: "octocat", ID: 1}}
	for name, c := range map[string]struct {
		edit func(*world)
	}{
		"whose the token is":      {func(w *world) { w.live.State.User = nil }},
		"whether the token works": {func(w *world) { w.checked(); w.clock.Mono += time.Minute }},
		"both":                    {func(w *world) { w.checked(); w.live.State.User = nil; w.clock.Mono += time.Minute }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, octocat)
			w.turnIn = time.Hour
			c.edit(w)
			w.sync()
			if w.sync(); !w.waits {
				w.clock.Mono += time.Minute // The first check is at a time of its own.
				w.sync()
			}
			if !w.waits {
				t.Fatal("it does not wait for a turn")
			}
			reads := w.reads
			for range 5 {
				at := w.sync()
				if in := at.Sub(w.clock.Now()); in < 59*time.Minute || in > time.Hour {
					t.Errorf("it comes back in %s, want when its turn should have come", in)
				}
			}
			if w.asked != 0 || w.reads != reads {
				t.Errorf("GitHub was asked %d times without a turn, and %d Secrets were read", w.asked, w.reads-reads)
			}
			w.turnIn = 0 // It is woken.
			w.pass(2 * afterTurn)
			if w.asked == 0 {
				t.Error("GitHub is not asked when there is a turn")
			}
		})
	}
}

func TestTokenCheckVerifyAccountWaitsForATurnWhereTheTokenIsNotTrusted(t *testing.T) {
	w := newWorld(t, reply{user: github.User{Login: "octocat", ID: 1}})
	w.turnIn = 20 * time.Second
	began := w.clock.Mono
	w.clock.OnSleep = func() {
		if w.clock.Mono-began > 3*time.Minute {
			w.turnIn = 0
		}
	}
	record := rotation.Record{ID: "r", Owner: scope.OwnerOf(w.token), User: &rotation.UserPin{ID: 1}, Reply: &github.Reply{SentAt: w.clock.Now()}}
	tokens := github.Tokens{AccessToken: credential.NewAccessToken("ghu_new")}
	if _, err := w.checks.VerifyAccount(t.Context(), scope.InlineApp(w.token).App, record, tokens); err != nil {
		t.Fatal(err)
	}
	if len(w.received) != 1 || w.received[0] != tokens.AccessToken.Fingerprint() {
		t.Errorf("told of %v, want the token that was received", w.received)
	}
	if took := w.clock.Mono - began; took < 3*time.Minute || took > 3*time.Minute+5*time.Second {
		t.Errorf("it took %s: a turn is held for seconds", took)
	}
	if w.aside == 0 || len(w.troubles) == 0 || !strings.Contains(w.troubles[0], "this namespace has no turn yet") {
		t.Errorf("stood aside %d times, told %q", w.aside, w.troubles)
	}
}

// Between two refusals of a dead token there may be nothing but waiting.
func TestTokenCheckVerifyAccountFindsAPairDeadAlthoughItWaitsForTurns(t *testing.T) {
	w := newWorld(t, reply{err: errInvalid})
	asked := 0
	w.clock.OnSleep = func() {
		if w.turnIn = 0; w.asked > asked {
			w.turnIn, asked = time.Minute, w.asked
		}
	}
	record := rotation.Record{ID: "r", Owner: scope.OwnerOf(w.token), User: &rotation.UserPin{ID: 1}, Reply: &github.Reply{SentAt: w.clock.Now()}}
	began := w.clock.Mono
	_, err := w.checks.VerifyAccount(t.Context(), scope.InlineApp(w.token).App, record, github.Tokens{})
	if took := w.clock.Mono - began; !errors.Is(err, rotation.ErrPairDead) || took > deadAfter+time.Minute {
		t.Errorf("%v after %s", err, took)
	}
}
