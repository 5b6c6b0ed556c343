package runner

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestRunnerAPanicOfOneResourceEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var panicked, done []types.UID
		r := New(Options{
			Limit:   1,
			OnPanic: func(uid types.UID) { panicked = append(panicked, uid) },
			OnDone:  func(uid types.UID) { done = append(done, uid) },
		})
		if err := r.Start("a", func() { panic("ghu_secret") }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(panicked) != 1 || len(done) != 0 || !r.Busy("a") {
			t.Fatalf("panicked %v, done %v: the resource does not rest", panicked, done)
		}
		if err := r.Start("b", func() {}); err != nil {
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
		if err := r.Start("a", func() { panic("x") }); err != nil {
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
		if err := start(c.uid, work); !errors.Is(err, c.want) {
			t.Errorf("start of %s: %v, want %v", c.uid, err, c.want)
		}
	}
	r.StandAside("a")
	r.StandAside("b")
	if r.Full() {
		t.Error("work that stands aside takes a place")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it does not wait for what runs: %v", err)
	}
	if err := r.Start("d", work); !errors.Is(err, ErrDraining) {
		t.Errorf("something was started while the process ends: %v", err)
	}
}

// What runs may have spent a token whose successor only it can store.
func TestRunnerDrainWaitsForWhatRunsAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const long = time.Hour
		r := New(Options{Limit: 2})
		var finished atomic.Int32
		for _, uid := range []types.UID{"a", "b"} {
			if err := r.Start(uid, func() { time.Sleep(long); finished.Add(1) }); err != nil {
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
