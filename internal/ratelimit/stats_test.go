package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"
)

// What is told of limits names Apps that GitHub has answered with success, and puts all others together: their names are
// made up by tenants.
func TestLimitStatsNameProvenAppsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{PerHour: 3600, Burst: 1})
		begin := time.Now()
		l.Succeeded("github.com/b")
		time.Sleep(time.Second)
		l.Succeeded("github.com/a")
		take := func(app, id string) bool {
			ok, _ := l.Acquire(app, Request{ID: id, Namespace: "n"})
			return ok
		}
		if !take("github.com/a", "1") || take("github.com/a", "2") || take("github.com/a", "3") {
			t.Fatal("one of three may go at once")
		}
		if !take("github.com/made-up", "4") {
			t.Fatal("the first request of another App does not go")
		}
		l.Pause("github.com/b", begin.Add(time.Hour))
		l.Pause("github.com/made-up", begin.Add(time.Minute))
		time.Sleep(2 * time.Second)
		if !take("github.com/a", "2") {
			t.Fatal("a second later the next one does not go")
		}
		apps, others := l.Stats()
		want := []Stats{
			{App: "github.com/b", PausedUntil: begin.Add(time.Hour)},
			{App: "github.com/a", Waiting: 1, Turns: 2, Waited: 2 * time.Second},
		}
		if len(apps) != 2 || apps[0] != want[0] || apps[1] != want[1] {
			t.Errorf("the stats of Apps are %+v, want %+v", apps, want)
		}
		if want := (Stats{PausedUntil: begin.Add(time.Minute), Turns: 1}); others != want {
			t.Errorf("those of all others are %+v, want %+v", others, want)
		}
		time.Sleep(time.Hour)
		if apps, others = l.Stats(); !apps[0].PausedUntil.IsZero() || !others.PausedUntil.IsZero() {
			t.Error("a pause that is over is told of")
		}
	})
}

// What waits for an App takes its waiting along when the App proves itself.
func TestLimitStatsCountTheWholeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{PerHour: 3600, UnprovenPerHour: 2, Burst: 1})
		l.Acquire("github.com/a", Request{ID: "1", Namespace: "n"})
		l.Acquire("github.com/a", Request{ID: "2", Namespace: "n"})
		time.Sleep(10 * time.Second)
		l.Succeeded("github.com/a")
		time.Sleep(2 * time.Second)
		if ok, _ := l.Acquire("github.com/a", Request{ID: "2", Namespace: "n", Expiry: time.Now()}); !ok {
			t.Fatal("a proven App's request does not go")
		}
		if apps, _ := l.Stats(); len(apps) != 1 || apps[0].Turns != 1 || apps[0].Waited != 12*time.Second {
			t.Errorf("the stats are %+v, want one turn after 12 s", apps)
		}
	})
}
