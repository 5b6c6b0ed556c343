package chaos

import (
	"fmt"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	// loadLifetime is so short that each resource is exchanged every few seconds.
	loadLifetime = 5 * time.Second
	// soonest is how long after one exchange the next can be due: a quarter of the lifetime before its end, and a
	// tenth of that for the jitter.
	soonest = loadLifetime - loadLifetime/4 - loadLifetime/40
)

// load makes many subjects that are due all the time.
func (w *world) load(subjects int) {
	w.t.Helper()
	for i := range subjects {
		s := w.prepare(fmt.Sprintf("load-%d", i), w.namespaces[0], clientID)
		s.due = -1
	}
	w.each(w.subjects, (*subject).apply)
}

// awaitExchanges waits until GitHub has made that many more exchanges.
func (w *world) awaitExchanges(more int) {
	w.t.Helper()
	goal := len(w.gh.Exchanges()) + more
	w.eventually(fmt.Sprintf("%d exchanges more", more), func() (bool, string) {
		n := len(w.gh.Exchanges())
		return n >= goal, fmt.Sprintf("%d of %d", n, goal)
	})
}

// calm ends the load: from now on tokens live for hours. Nothing may have been presented that was not due, but for
// one more try of each after each kill, and one for the login.
func (w *world) calm(kills int) {
	w.t.Helper()
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.AccessTokenLifetime = githubtest.DefaultAccessTokenLifetime })
	for _, s := range w.subjects {
		s.most = int(time.Since(w.began)/soonest) + kills + 2
	}
}

func TestChaosTwoActiveManagersNeverSpendATokenTwice(t *testing.T) {
	t.Parallel()
	subjects, rounds := 20, 6
	if long {
		subjects, rounds = 60, 40
	}
	w := newWorld(t, worldOptions{app: githubtest.App{AccessTokenLifetime: loadLifetime}})
	first, second := w.replica(), w.replica()
	w.load(subjects)
	first.start()
	second.start()
	totals.fault("process: two active managers")
	for i := range rounds {
		w.awaitExchanges(subjects / 2)
		// What keeps each of them from knowing what the other does.
		switch i % 3 {
		case 0:
			second.proxy.cutWatches()
		case 1:
			held := first.proxy.inject(&apiFault{kind: "watch held back", on: secretsWatch, holdReply: true, times: -1, onEvent: func([]byte) bool { return true }})
			w.awaitExchanges(subjects / 4)
			first.proxy.remove(held)
		default:
			first.proxy.cutWatches()
		}
	}
	w.calm(0)
	w.settle(time.Time{})
	for _, r := range w.replicas {
		if r.over() {
			t.Errorf("%s has ended:\n%s", r.name, r.tail())
		}
	}
	w.judge()
}

func TestChaosManyResourcesDueAtTheSameInstant(t *testing.T) {
	t.Parallel()
	subjects := 300
	if long {
		subjects = 10_000
	}
	w := newWorld(t, worldOptions{})
	if long {
		w.patience = 15 * time.Minute
	}
	for i := range subjects {
		w.prepare(fmt.Sprintf("many-%d", i), w.namespaces[0], clientID)
	}
	w.each(w.subjects, (*subject).apply)
	r := w.replica()
	r.start()
	w.awaitExchanges(subjects)
	w.settle(time.Time{})
	// While nobody is there to see it everybody asks, so that all are due when the operator comes back.
	r.kill()
	w.each(w.subjects, (*subject).annotate)
	for _, s := range w.subjects {
		s.due = 2
	}
	totals.fault("process: many due at the same instant")
	r.start()
	w.awaitExchanges(subjects)
	w.settle(time.Time{})
	w.judge()
}
