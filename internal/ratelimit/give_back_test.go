package ratelimit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Requests that turn out to cost nothing must not be limited by what others were charged for.
func TestLimitReturnedTurnCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Options{PerHour: 60})
		for n := range 500 {
			ok, _ := l.Acquire("github.com/rest", request("good", n, time.Time{}))
			if !ok {
				t.Fatalf("request %d has no turn although all before it were given back", n)
			}
			time.Sleep(100 * time.Millisecond)
			l.Return("github.com/rest", "good")
		}
		if free := l.hosts["github.com"].budget.Tokens(); free > 20 {
			t.Errorf("there are %g turns at once, more than the burst", free)
		}
		l.Return("nowhere/rest", "good") // Of a limit that nobody has used there is nothing to give back.
	})
}

// Whoever is charged waits; whoever gives back goes on beside it.
func TestLimitReturnedTurnIsForTheNextInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 60})
		charged := 0
		for n := range 100 {
			if ok, _ := s.Acquire("github.com/rest", request("bad", n, time.Time{})); ok {
				charged++
			}
		}
		if charged != 15 {
			t.Errorf("a namespace has used %d turns at once, want three quarters of 20", charged)
		}
		used := 0
		for n := range 50 {
			if ok, _ := s.Acquire("github.com/rest", request("good", n, time.Time{})); ok {
				used++
				s.Return("github.com/rest", "good")
			}
		}
		if used != 50 {
			t.Errorf("%d of 50 requests have had a turn that each gave back", used)
		}
	})
}

func TestLimitWaitsTellsOfRequestsWithoutATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 60, Burst: 1})
		for n := range 3 {
			s.Acquire("github.com/rest", request("a", n, time.Time{}))
		}
		waits := func(n int) bool {
			at, waits := s.Waits("github.com/rest", fmt.Sprintf("a/%04d", n))
			if waits && !at.After(time.Now()) {
				t.Errorf("%d waits until %s, which is not ahead", n, at)
			}
			return waits
		}
		if waits(0) || !waits(1) || !waits(2) || waits(3) {
			t.Error("who waits is not told")
		}
		if _, waits := s.Waits("github.com/other", "a/0001"); waits {
			t.Error("it waits for another limit")
		}
		s.deaf = true
		s.run(time.Minute + 5*time.Second)
		if waits(1) {
			t.Error("it waits although its turn is held")
		}
	})
}

// All that waits for a host waits for one App: while that pauses, a request must not cost a look at each of the others, under
// the lock that all limits share.
func TestLimitPauseMakesNoRequestDear(t *testing.T) {
	const app, waiting, requests = "github.com/rest", 50000, 300
	l := New(Options{PerHour: 60})
	for n := range waiting {
		l.Acquire(app, request("a", n, time.Time{}))
	}
	took := func() time.Duration {
		began := time.Now()
		for n := range requests {
			r := request("b", n, time.Time{})
			l.Acquire(app, r)
			l.Cancel(r.ID)
			l.Return(app, "c")
		}
		return time.Since(began)
	}
	for range 10 { // Nobody has a turn left.
		l.Acquire(app, request("b", waiting, time.Time{}))
	}
	before := took()
	l.Pause(app, time.Now().Add(time.Hour))
	if paused := took(); paused > max(20*before, 100*time.Millisecond) {
		t.Errorf("%d requests took %s while the App paused, and %s before", requests, paused, before)
	}
}
