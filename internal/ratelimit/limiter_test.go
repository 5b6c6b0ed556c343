package ratelimit

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const app = "github.com/Iv23liEXAMPLE"

// scene is a limiter with resources that come back when they are woken, through one queue as those of a
// controller do.
type scene struct {
	*Limiter
	requests map[string]Request
	used     map[string]time.Time
	order    []string // of use
	wakes    chan string
	woken    []string
	deaf     bool // nobody comes back
}

func newScene(options Options) *scene {
	s := &scene{requests: map[string]Request{}, used: map[string]time.Time{}, wakes: make(chan string, 1<<14)}
	options.Wake = func(id string) { s.wakes <- id }
	s.Limiter = New(options)
	s.Succeeded(app) // The App is proven, unless a test says otherwise.
	return s
}

// run lets time pass and resources come back.
func (s *scene) run(d time.Duration) {
	for end := time.After(d); ; {
		select {
		case id := <-s.wakes:
			s.woken = append(s.woken, id)
			if !s.deaf {
				s.ask(s.requests[id])
			}
		case <-end:
			return
		}
	}
}

func (s *scene) ask(r Request) (bool, time.Time) {
	s.requests[r.ID] = r
	ok, estimate := s.Acquire(app, r)
	if ok {
		s.used[r.ID] = time.Now()
		s.order = append(s.order, r.ID)
	}
	return ok, estimate
}

func request(namespace string, n int, expiry time.Time) Request {
	return Request{ID: fmt.Sprintf("%s/%04d", namespace, n), Namespace: namespace, Expiry: expiry}
}

func TestLimitNamespacesTakeTurnsAndTheEarliestExpiryGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 100, Burst: 1})
		now := time.Now()
		s.ask(request("first", 0, now))
		for n := range 4 {
			s.ask(request("big", n, now.Add(-time.Duration(n)*time.Hour)))
		}
		for n := range 2 {
			s.ask(request("small", n, now.Add(time.Duration(n)*time.Hour)))
		}
		s.ask(request("tiny", 0, now.Add(24*time.Hour)))
		s.run(time.Hour)
		want := []string{"first/0000", "big/0003", "small/0000", "tiny/0000", "big/0002", "small/0001", "big/0001", "big/0000"}
		if !slices.Equal(s.order, want) {
			t.Errorf("order %v, want %v", s.order, want)
		}
	})
}

func TestLimitWhoYieldsGoesWhenNobodyElseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 100, Burst: 1})
		now := time.Now()
		yielding := func(namespace string, n int) {
			r := request(namespace, n, time.Time{})
			r.Yields = true
			s.ask(r)
			time.Sleep(time.Millisecond)
		}
		s.ask(request("first", 0, now))
		for n := 3; n > 0; n-- {
			yielding("idle", n)
		}
		yielding("busy", 4)
		yielding("idle", 3) // keeps its place
		for n := range 2 {
			s.ask(request("busy", n, now.Add(time.Duration(n)*time.Hour)))
		}
		s.ask(request("small", 0, now.Add(9*time.Hour)))
		s.run(3 * time.Minute)
		s.ask(request("late", 0, now)) // goes ahead of all that still yield
		s.run(time.Hour)
		want := []string{"first/0000", "busy/0000", "small/0000", "busy/0001", "idle/0003", "late/0000", "busy/0004", "idle/0002", "idle/0001"}
		if !slices.Equal(s.order, want) {
			t.Errorf("order %v, want %v", s.order, want)
		}
	})
}

// A resource that waits for a person may come to have a token to lose, and the other way round.
func TestLimitWhoYieldsNoMoreMovesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 3600, Burst: 1})
		now := time.Now()
		s.ask(request("a", 0, now))
		s.ask(request("a", 1, now.Add(1)))
		for n := 2; n <= 3; n++ {
			r := request("b", n, now)
			r.Yields = true
			s.ask(r)
		}
		s.ask(request("b", 3, now))
		r := s.requests["a/0001"]
		r.Yields = true
		s.ask(r)
		if got := s.Waiting(app); got != 3 {
			t.Errorf("%d wait, want 3", got)
		}
		s.run(10 * time.Second)
		if want := []string{"a/0000", "b/0003", "b/0002", "a/0001"}; !slices.Equal(s.order, want) {
			t.Errorf("order %v, want %v", s.order, want)
		}
	})
}

func TestLimitEstimateComesTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 2000, Burst: 20})
		now := time.Now()
		for i := range 300 {
			r := request([]string{"a", "a", "a", "b", "c"}[i%5], i, now.Add(time.Duration(i*7919%300)*time.Minute))
			r.Yields = i%7 == 0
			s.ask(r)
		}
		estimates := map[string]time.Time{}
		for id, r := range s.requests {
			if _, done := s.used[id]; !done {
				_, estimates[id] = s.Acquire(app, r)
			}
		}
		s.run(time.Hour)
		if got := len(estimates) + 20; got < 300 || got > 305 {
			t.Fatalf("%d wait, want all but most of the burst", len(estimates))
		}
		for id, estimate := range estimates {
			// By the burst at most, as who has used less of it is served before others for a while.
			if off := s.used[id].Sub(estimate).Abs(); off > DefaultBurst*time.Hour/DefaultPerHour {
				t.Errorf("%s: the estimate is off by %s", id, off)
			}
		}
	})
}

func TestLimitAcquireAgainChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 3600, Burst: 1})
		now := time.Now()
		s.ask(request("a", 0, now))
		for range 10 {
			for n := 1; n <= 3; n++ {
				if ok, estimate := s.ask(request("a", n, now.Add(time.Duration(n)))); ok || !estimate.After(now) {
					t.Fatalf("%d goes ahead without a turn, estimate %s", n, estimate)
				}
			}
		}
		if got := s.Waiting(app); got != 3 {
			t.Errorf("%d wait, want 3", got)
		}
		s.run(10 * time.Second)
		if want := []string{"a/0000", "a/0001", "a/0002", "a/0003"}; !slices.Equal(s.order, want) {
			t.Errorf("order %v", s.order)
		}
		if len(s.woken) != 3 {
			t.Errorf("woken %v, want each once", s.woken)
		}
	})
}

func TestLimitChangedRequestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 3600, Burst: 1})
		now := time.Now()
		s.ask(request("a", 0, now))
		s.ask(request("a", 1, now.Add(1)))
		s.ask(request("a", 2, now.Add(2)))
		s.ask(request("a", 2, now)) // its expiry has moved ahead of the other's
		moved := request("a", 3, now.Add(-1))
		s.ask(moved)
		if ok, _ := s.Acquire("github.com/other", moved); !ok { // its App has changed
			t.Error("the other App has budget")
		}
		if got := s.Waiting(app); got != 2 {
			t.Errorf("%d wait in the first App, want 2", got)
		}
		s.run(10 * time.Second)
		if want := []string{"a/0000", "a/0002", "a/0001"}; !slices.Equal(s.order, want) {
			t.Errorf("order %v", s.order)
		}
	})
}

func TestLimitTurnThatIsNotUsedGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 3600, Burst: 1, Hold: 10 * time.Second})
		now := time.Now()
		s.ask(request("a", 0, now))
		s.ask(request("a", 1, now.Add(1)))
		s.ask(request("b", 2, now.Add(2)))
		s.deaf = true
		s.run(5 * time.Second)
		if !slices.Equal(s.woken, []string{"a/0001"}) {
			t.Fatalf("woken %v, want the first alone while its turn is held", s.woken)
		}
		s.run(10 * time.Second)
		if !slices.Equal(s.woken, []string{"a/0001", "b/0002"}) {
			t.Errorf("woken %v, want the next when the turn lapsed", s.woken)
		}
		if ok, _ := s.ask(s.requests["b/0002"]); !ok {
			t.Error("the turn that is held is refused")
		}
		if got := s.Waiting(app); got != 0 {
			t.Errorf("%d wait, want none: who lets a turn lapse is forgotten", got)
		}
	})
}

func TestLimitCancelGivesTheTurnAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 3600, Burst: 1})
		now := time.Now()
		for n := range 4 {
			s.ask(request("a", n, now.Add(time.Duration(n))))
		}
		s.Cancel("a/0002")
		s.Cancel("unknown")
		s.deaf = true
		s.run(2 * time.Second)
		s.Cancel("a/0001") // woken, and deleted before it came
		s.run(time.Second)
		if !slices.Equal(s.woken, []string{"a/0001", "a/0003"}) {
			t.Errorf("woken %v", s.woken)
		}
	})
}

func TestLimitPauseHoldsForTheWholeApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, perHour := range []int{0, 2000} {
			s := newScene(Options{PerHour: perHour})
			now := time.Now()
			s.Pause(app, now.Add(10*time.Minute))
			s.Pause(app, now.Add(time.Minute)) // shortens nothing
			s.Pause(app, now.Add(-time.Minute))
			for n := range 5 {
				ok, estimate := s.ask(request("a", n, now.Add(time.Duration(n))))
				if ok || estimate.Before(now.Add(10*time.Minute)) || estimate.After(now.Add(10*time.Minute+time.Second)) {
					t.Errorf("limit %d: ok=%t, estimate in %s", perHour, ok, estimate.Sub(now))
				}
			}
			if ok, _ := s.Acquire("github.com/other", Request{ID: "x"}); !ok {
				t.Error("the pause of one App stops another")
			}
			s.run(10*time.Minute - time.Second)
			if len(s.order) != 0 {
				t.Errorf("limit %d: %v went ahead during the pause", perHour, s.order)
			}
			s.run(2 * time.Second)
			if want := []string{"a/0000", "a/0001", "a/0002", "a/0003", "a/0004"}; !slices.Equal(s.order, want) {
				t.Errorf("limit %d: order %v", perHour, s.order)
			}
		}
	})
}

func TestLimitPauseTakesBackTurnsThatAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: 3600, Burst: 1})
		now := time.Now()
		s.ask(request("a", 0, now))
		s.ask(request("a", 1, now))
		s.deaf = true
		s.run(2 * time.Second)
		s.Pause(app, time.Now().Add(time.Minute))
		if ok, _ := s.ask(s.requests["a/0001"]); ok {
			t.Error("a turn that was held goes ahead during a pause")
		}
		s.deaf = false
		s.run(2 * time.Minute)
		if !slices.Equal(s.order, []string{"a/0000", "a/0001"}) {
			t.Errorf("order %v", s.order)
		}
	})
}

func TestLimitOfNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{})
		for n := range 5000 {
			if ok, _ := s.ask(request("a", n, time.Now())); !ok {
				t.Fatal("refused without a limit")
			}
		}
	})
}

func TestLimitTinyLimitIsKept(t *testing.T) {
	for _, perHour := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(Options{PerHour: perHour})
			now := time.Now()
			for n := range 10 {
				s.ask(request("a", n, now.Add(time.Duration(n))))
			}
			s.run(12 * time.Hour)
			if len(s.order) != 10 {
				t.Errorf("%d went ahead in 12 hours, want all", len(s.order))
			}
			if got := densestHour(s.used); got > perHour {
				t.Errorf("%d in an hour, want at most %d", got, perHour)
			}
		})
	}
}

// densestHour is the greatest number of uses in any rolling hour, both ends included.
func densestHour(used map[string]time.Time) int {
	var times []time.Time
	for _, at := range used {
		times = append(times, at)
	}
	slices.SortFunc(times, time.Time.Compare)
	densest, from := 0, 0
	for to, at := range times {
		for at.Sub(times[from]) > time.Hour {
			from++
		}
		densest = max(densest, to-from+1)
	}
	return densest
}
