package ratelimit

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever resources, pauses, cancellations and lost wake-ups come: in no rolling hour more than the
// limit, no use during a pause, and in the end everybody who asks is served.
func TestLimitHoldsAndNobodyStarves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// rapid draws outside the bubble: its failures must not end a bubble's goroutine.
		perHour := rapid.IntRange(1, 60).Draw(rt, "per hour")
		burst := rapid.IntRange(0, 40).Draw(rt, "burst")
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				kind:      rapid.IntRange(0, 9).Draw(rt, "kind"),
				namespace: rapid.IntRange(0, 3).Draw(rt, "namespace"),
				id:        rapid.IntRange(0, 30).Draw(rt, "id"),
				wait:      rapid.IntRange(0, 600).Draw(rt, "wait"),
			}
		}), 1, 120).Draw(rt, "steps")

		var problem string
		synctest.Test(t, func(*testing.T) { problem = simulate(perHour, burst, steps) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

type step struct{ kind, namespace, id, wait int }

// simulate plays the steps and returns the first rule that is broken.
func simulate(perHour, burst int, steps []step) (problem string) {
	fail := func(format string, args ...any) {
		if problem == "" {
			problem = fmt.Sprintf(format, args...)
		}
	}
	var (
		uses        []time.Time
		pausedUntil time.Time
		wants       = map[string]Request{} // who still asks
		deaf        bool
		limiter     *Limiter
	)
	ask := func(r Request) {
		wants[r.ID] = r
		now := time.Now()
		ok, estimate := limiter.Acquire(app, r)
		if !ok {
			if estimate.Before(now) || estimate.Before(pausedUntil) {
				fail("estimate %s is in the past or in a pause", estimate)
			}
			return
		}
		if now.Before(pausedUntil) {
			fail("a request goes ahead during a pause")
		}
		delete(wants, r.ID)
		uses = append(uses, now)
		first, _ := slices.BinarySearchFunc(uses, now.Add(-time.Hour), time.Time.Compare)
		if got := len(uses) - first; got > perHour {
			fail("%d in a rolling hour, limit %d", got, perHour)
		}
	}
	wakes := make(chan string, 1<<14)
	limiter = New(Options{PerHour: perHour, Burst: burst, Wake: func(id string) { wakes <- id }})
	limiter.Succeeded(app)
	run := func(d time.Duration) {
		for end := time.After(d); ; {
			select {
			case id := <-wakes:
				if r, ok := wants[id]; ok && !deaf {
					ask(r)
				}
			case <-end:
				return
			}
		}
	}

	for _, s := range steps {
		r := Request{ID: fmt.Sprint(s.id), Namespace: fmt.Sprint(s.namespace), Expiry: time.Now().Add(time.Duration(s.id*37%31) * time.Minute), Yields: s.id%3 == 0}
		switch s.kind {
		case 0:
			limiter.Cancel(r.ID)
			delete(wants, r.ID)
		case 1:
			until := time.Now().Add(time.Duration(s.wait) * time.Second)
			if until.After(pausedUntil) && s.wait > 0 {
				pausedUntil = until
			}
			limiter.Pause(app, until)
		case 2:
			deaf = !deaf
		case 3, 4:
			run(time.Duration(s.wait) * time.Second)
		default:
			ask(r)
		}
		if got := limiter.Waiting(app); got > 31 {
			fail("%d wait, of 31 that exist", got)
		}
	}

	// Everybody who still asks comes again, as a resync makes them, and is served within the time that
	// the limit allows.
	deaf = false
	for range 3 {
		for _, id := range slices.Sorted(maps.Keys(wants)) {
			ask(wants[id])
		}
		run(max(0, time.Until(pausedUntil)) + time.Duration(40/perHour+3)*time.Hour)
	}
	if len(wants) > 0 {
		fail("%d are never served", len(wants))
	}
	if limiter.Waiting(app) != 0 || len(limiter.of) != 0 {
		fail("the limiter remembers %d requests that are gone", len(limiter.of))
	}
	return problem
}

// Whoever waits at the start of a recovery is served in order: who yields after all who do not, within a namespace
// by expiry, or as they came, and as long as two namespaces wait neither gets ahead of the other by more than one.
func TestLimitOrderIsFairAndByExpiry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		waits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) [3]int {
			return [3]int{rapid.IntRange(0, 5).Draw(rt, "namespace"), rapid.IntRange(-100, 100).Draw(rt, "expiry"), rapid.IntRange(0, 2).Draw(rt, "class")}
		}), 1, 100).Draw(rt, "waits")

		var s *scene
		synctest.Test(t, func(*testing.T) {
			s = newScene(Options{PerHour: DefaultPerHour, Burst: 1})
			start := time.Now()
			s.Pause(app, start.Add(time.Minute))
			for n, wait := range waits {
				r := request(fmt.Sprint(wait[0]), n, start.Add(time.Duration(wait[1])*time.Minute))
				r.Yields = wait[2] == 0
				s.ask(r)
				if r.Yields {
					r.Expiry = time.Now()
					s.requests[r.ID] = r
				}
				time.Sleep(time.Millisecond)
			}
			s.run(time.Hour)
		})
		if len(s.order) != len(waits) {
			rt.Fatalf("%d of %d were served", len(s.order), len(waits))
		}
		yielded := slices.IndexFunc(s.order, func(id string) bool { return s.requests[id].Yields })
		if yielded < 0 {
			yielded = len(s.order)
		}
		for _, class := range [][]string{s.order[:yielded], s.order[yielded:]} {
			left, served, latest := map[string]int{}, map[string]int{}, map[string]time.Time{}
			for _, id := range class {
				left[s.requests[id].Namespace]++
			}
			for _, id := range class {
				r := s.requests[id]
				if r.Yields != s.requests[class[0]].Yields {
					rt.Fatalf("%s, which does not yield, is served after one that does", id)
				}
				if r.Expiry.Before(latest[r.Namespace]) {
					rt.Fatalf("%s is served after a later expiry", id)
				}
				latest[r.Namespace] = r.Expiry
				served[r.Namespace]++
				left[r.Namespace]--
				for other, waiting := range left {
					if waiting > 0 && served[r.Namespace] > served[other]+1 {
						rt.Fatalf("namespace %s has had %d turns while %s waits with %d", r.Namespace, served[r.Namespace], other, served[other])
					}
				}
			}
		}
	})
}
