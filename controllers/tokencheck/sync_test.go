package tokencheck

import (
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

var discard = logr.Discard()

func TestTokenCheckSyncWaitsForRoom(t *testing.T) {
	w := newWorld(t, reply{alive: true})
	w.live.State.User = nil // It is asked for at once.
	for i := range MaxChecks {
		if err := w.runner.Start(runner.Subject{UID: types.UID(rune('a' + i)), Namespace: string(rune('a' + i)), Host: string(rune('a' + i))}, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	at := w.checks.Sync(discard, w.scope())
	if wait := at.Sub(w.clock.Now()); wait < time.Second || wait > 31*time.Second {
		t.Errorf("with all places taken it comes again in %s", wait)
	}
	if w.memory.Len() != 0 {
		t.Error("a question that was not asked counts as asked")
	}
	w.queued.Run()
	w.sync()
	if w.asked != 1 {
		t.Errorf("with room GitHub was asked %d times", w.asked)
	}
}

func TestTokenCheckSyncAsksOnceAtATime(t *testing.T) {
	w := newWorld(t, reply{alive: true}).checked()
	w.live.State.User = nil
	first := w.checks.Sync(discard, w.scope())
	w.clock.Mono += time.Hour
	if at := w.checks.Sync(discard, w.scope()); !at.IsZero() || first.IsZero() {
		t.Errorf("the first comes again at %s, and another beside it at %s", first, at)
	}
	if w.queued.Len() != 1 {
		t.Errorf("%d runs for one resource", w.queued.Len())
	}
}

func TestTokenCheckSyncIsToldThatNothingBeginsAnyMore(t *testing.T) {
	w := newWorld(t, reply{alive: true})
	w.live.State.User = nil
	if err := w.runner.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at := w.sync(); at.IsZero() || w.asked != 0 {
		t.Errorf("again at %s, after %d questions", at, w.asked)
	}
}

func TestTokenCheckSyncAsksNoHostThatIsNotAllowed(t *testing.T) {
	w := newWorld(t, reply{alive: true}).checked()
	w.live.State.User = nil
	w.hostErr = errors.New("not allowed")
	if at := w.sync(); !at.IsZero() || w.asked != 0 || w.memory.Len() != 0 {
		t.Errorf("again at %s, after %d questions", at, w.asked)
	}
}

func TestTokenCheckSyncForgetsAResourceWithoutToken(t *testing.T) {
	w := newWorld(t, reply{alive: true}).checked()
	w.sync()
	if w.memory.Len() != 1 {
		t.Fatal("nothing is remembered of a resource that is checked")
	}
	w.live.State.AccessToken = ""
	if at := w.sync(); !at.IsZero() || w.memory.Len() != 0 {
		t.Errorf("it comes again at %s, and %d notes are left", at, w.memory.Len())
	}
}

// A resource may go while GitHub is being asked. What comes of it must not be remembered for ever.
func TestTokenCheckNothingIsRememberedOfAResourceThatWentMeanwhile(t *testing.T) {
	for name, r := range map[string]reply{"alive": {alive: true}, "dead": {}, "an outage": {err: errOutage}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, r).checked()
			w.sync()
			w.clock.Mono += 10 * time.Second
			w.checks.Sync(discard, w.scope())
			w.memory.Forget("u1")
			w.queued.Run()
			if w.asked != 1 || w.memory.Len() != 0 || w.marked != 0 {
				t.Errorf("after %d checks %d notes are left", w.asked, w.memory.Len())
			}
		})
	}
}

// What is told of a new pair waits for the first answer whose it is, and not for another.
func TestTokenCheckFirstAnswerOfAnAccountIsWorthWaitingFor(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world)
		want    time.Duration
	}{
		"it is being asked":             {func(*world) {}, 2 * time.Second},
		"it has been asked for a while": {func(w *world) { w.clock.Mono += 700 * time.Millisecond }, 1300 * time.Millisecond},
		"it takes too long":             {func(w *world) { w.clock.Mono += 2100 * time.Millisecond }, 0},
		"it has been told":              {func(w *world) { w.queued.Run(); w.sync() }, 0},
		"GitHub did not tell in time":   {func(w *world) { w.queued.Run(); w.clock.Mono += 2 * time.Second; w.sync() }, 0},
		"it is asked for another time":  {func(w *world) { w.queued.Run(); w.live.State.User = nil; w.clock.Mono += 2 * time.Second; w.sync() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reply{err: errOutage}, reply{user: github.User{Login: "octocat", ID: 1}})
			if name == "it has been told" {
				w = newWorld(t, reply{user: github.User{Login: "octocat", ID: 1}})
			}
			w.live.State.User = nil
			w.checks.Sync(discard, w.scope())
			c.prepare(w)
			if got := w.checks.Awaits(w.token.UID); got != c.want {
				t.Errorf("%s are left, want %s", got, c.want)
			}
		})
	}
}
