package runner

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// of is a resource in a namespace of its own.
func of(uid types.UID) Subject { return Subject{UID: uid, Namespace: string(uid), Host: "github.com"} }

func TestRunnerAPanicOfOneResourceEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var panicked, done []types.UID
		r := New(Options{
			Limit:   1,
			OnPanic: func(uid types.UID) { panicked = append(panicked, uid) },
			OnDone:  func(uid types.UID) { done = append(done, uid) },
		})
		if err := r.Start(of("a"), func() { panic("ghu_secret") }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(panicked) != 1 || len(done) != 0 || !r.Busy("a") {
			t.Fatalf("panicked %v, done %v: the resource does not rest", panicked, done)
		}
		if err := r.Start(of("b"), func() {}); err != nil {
			t.Errorf("a resource that rests takes the place of another: %v", err)
		}
		synctest.Wait()
		if err := r.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if r.Busy("a") || len(done) != 2 {
			t.Errorf("done %v after the end", done)
		}
	})
}

func TestRunnerWorkThatPanickedIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := make(chan types.UID)
		r := New(Options{Limit: 1, OnDone: func(uid types.UID) { done <- uid }})
		began := time.Now()
		if err := r.Start(of("a"), func() { panic("x") }); err != nil {
			t.Fatal(err)
		}
		<-done
		if rested := time.Since(began); rested < panicPause {
			t.Errorf("it rested for %s", rested)
		}
	})
}

func TestRunnerKeepsToItsLimitAndToOneForEachResource(t *testing.T) {
	r := New(Options{Limit: 2, Go: func(types.UID, func()) {}}) // Nothing that is started ends.
	work := func() {}
	for _, c := range []struct {
		uid    types.UID
		replay bool
		want   error
	}{
		{"a", false, nil}, {"a", false, ErrBusy}, {"b", false, nil}, {"c", false, ErrFull},
		{"c", true, nil}, // A pair that was received does not wait for a place.
	} {
		start := r.Start
		if c.replay {
			start = r.StartReplay
		}
		if err := start(of(c.uid), work); !errors.Is(err, c.want) {
			t.Errorf("start of %s: %v, want %v", c.uid, err, c.want)
		}
	}
	r.StandAside("a")
	r.StandAside("b")
	if r.Full(of("e")) {
		t.Error("work that stands aside takes a place")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it does not wait for what runs: %v", err)
	}
	if err := r.Start(of("d"), work); !errors.Is(err, ErrDraining) {
		t.Errorf("something was started while the process ends: %v", err)
	}
}

// One namespace, or one host that does not answer, takes only so many of the places that others find some: also one namespace
// with the host that everybody else asks.
func TestRunnerLeavesPlacesToOthers(t *testing.T) {
	const common = "github.com"
	at := func(host string) func(int) Subject {
		return func(int) Subject { return Subject{Namespace: "flood", Host: host} }
	}
	for _, c := range []struct {
		name  string
		flood func(i int) Subject
		takes int // of 32
		hosts []string
	}{
		{"a namespace with the common host", at(common), 18, []string{common, "github.example.com", ""}},
		{"a namespace with every host", func(i int) Subject {
			return Subject{Namespace: "flood", Host: []string{common, "github.example.com", ""}[i%3]}
		}, 24, []string{common, "github.example.com", ""}},
		{"a namespace that asks nobody", at(""), 24, []string{common, ""}},
		{"a host", func(i int) Subject { return Subject{Namespace: "tenant" + strconv.Itoa(i), Host: "hangs.example.com"} }, 24, []string{common, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := New(Options{Limit: 32, Go: func(types.UID, func()) {}})
			var began []Subject
			for i := range 100 {
				subject := c.flood(i)
				subject.UID = types.UID(strconv.Itoa(i))
				full := r.Full(subject)
				if err := r.Start(subject, func() {}); full != errors.Is(err, ErrFull) {
					t.Fatalf("full %t, but: %v", full, err)
				}
				if !full {
					began = append(began, subject)
				}
			}
			if len(began) != c.takes {
				t.Errorf("%d of 32 places are taken, want %d", len(began), c.takes)
			}
			for i, host := range c.hosts {
				victim := Subject{UID: types.UID("victim" + strconv.Itoa(i)), Namespace: "victim", Host: host}
				if err := r.Start(victim, func() {}); err != nil {
					t.Errorf("another found no place at %q: %v", host, err)
				}
			}
			for _, subject := range began {
				r.StandAside(subject.UID)
				r.StandAside(subject.UID)
			}
			if again := c.flood(200); r.Full(again) {
				t.Error("what stands aside still counts against its namespace or host")
			}
		})
	}
}

// What runs may have spent a token whose successor only it can store.
func TestRunnerDrainWaitsForWhatRunsAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const long = time.Hour
		r := New(Options{Limit: 2})
		var finished atomic.Int32
		for _, uid := range []types.UID{"a", "b"} {
			if err := r.Start(of(uid), func() { time.Sleep(long); finished.Add(1) }); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		began := time.Now()
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(began); finished.Load() != 2 || waited != long-time.Minute {
			t.Errorf("after %s %d pieces of work had come to their end", waited, finished.Load())
		}
	})
}

func TestRunnerCountsWorkByItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Limit: 10})
		end := make(chan struct{})
		for uid, operation := range map[types.UID]Operation{"a": Exchange, "b": Exchange, "c": Check} {
			subject := of(uid)
			subject.Operation = operation
			if err := r.Start(subject, func() { <-end }); err != nil {
				t.Fatal(err)
			}
		}
		r.StandAside("a")
		if counts := r.CountEach(); counts[Exchange] != 2 || counts[Check] != 1 || len(counts) != 2 {
			t.Errorf("counted %v", counts)
		}
		close(end)
		synctest.Wait()
		if counts := r.CountEach(); len(counts) != 0 {
			t.Errorf("counted %v after the end", counts)
		}
	})
}

// Work beside exchanges runs while one of the same resource does, one piece at a time, and is drained and counted with them.
func TestRunnerBesideIsWaitedForByADrainAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Limit: 4})
		beside := r.Beside(4)
		release := make(chan struct{})
		other := Subject{UID: "a", Namespace: "a", Host: "github.com", Operation: Scoping}
		if err := beside.Start(other, func() { <-release }); err != nil {
			t.Fatal(err)
		}
		if err := beside.Start(other, func() {}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second piece beside the first: %v", err)
		}
		if r.Busy("a") || r.Count() != 1 || r.CountEach()[Scoping] != 1 {
			t.Errorf("an exchange would wait: %t, %d pieces of work, %v", r.Busy("a"), r.Count(), r.CountEach())
		}
		if err := r.Start(of("a"), func() {}); err != nil {
			t.Errorf("an exchange waits: %v", err)
		}
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(context.Background()) }()
		synctest.Wait()
		select {
		case <-drained:
			t.Error("it is drained while work goes on beside it")
		default:
		}
		if err := beside.Start(of("b"), func() {}); !errors.Is(err, ErrDraining) {
			t.Errorf("work begins while it is drained: %v", err)
		}
		close(release)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		over, cancel := context.WithCancel(context.Background())
		cancel()
		again := New(Options{Limit: 4})
		forever := make(chan struct{})
		_ = again.Beside(4).Start(other, func() { <-forever })
		if err := again.Drain(over); !errors.Is(err, context.Canceled) {
			t.Errorf("what goes on when its time is over: %v", err)
		}
		close(forever)
	})
}
