package ratelimit

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// GitHub was away for two hours. 10,000 tokens are overdue: 5,000 of them in one namespace, the others
// in 49 more (102 or 103 each). All ask at once, in the worst order: the big namespace first, and within
// each namespace the latest expiry first.
func TestLimitRecoveryFromAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: DefaultPerHour})
		start := time.Now()
		namespaces := []string{"big"}
		sizes := map[string]int{"big": 5000}
		for i := range 49 {
			name := "small-" + string(rune('a'+i/10)) + string(rune('0'+i%10))
			namespaces = append(namespaces, name)
			sizes[name] = 102
			if i < 2 {
				sizes[name]++
			}
		}
		for _, namespace := range namespaces {
			for n := sizes[namespace] - 1; n >= 0; n-- {
				overdue := 2 * time.Hour * time.Duration(sizes[namespace]-n) / time.Duration(sizes[namespace])
				s.ask(request(namespace, n, start.Add(-overdue)))
			}
		}
		if len(s.requests) != 10000 {
			t.Fatalf("%d requests", len(s.requests))
		}
		burst := len(s.order)
		s.run(6 * time.Hour)

		if len(s.order) != 10000 || s.Waiting(app) != 0 {
			t.Fatalf("%d recovered, %d still wait", len(s.order), s.Waiting(app))
		}
		last := map[string]time.Duration{}
		for id, at := range s.used {
			namespace := s.requests[id].Namespace
			last[namespace] = max(last[namespace], at.Sub(start))
		}
		var small []time.Duration
		for _, namespace := range namespaces[1:] {
			small = append(small, last[namespace])
		}
		slices.Sort(small)
		t.Logf("10,000 recovered in %s; last of the big namespace after %s, last of the small ones after %s to %s; densest hour %d",
			slices.Max(append(small, last["big"])), last["big"], small[0], small[48], densestHour(s.used))

		if burst != DefaultBurst {
			t.Errorf("%d went at once, want the burst of %d", burst, DefaultBurst)
		}
		if got := densestHour(s.used); got != DefaultPerHour {
			t.Errorf("the densest hour has %d, want %d: the whole limit and no more", got, DefaultPerHour)
		}
		if got, want := last["big"].Round(time.Minute), 5*time.Hour+2*time.Minute; got != want {
			t.Errorf("the big namespace took %s, want %s", got, want)
		}
		if got, want := small[48].Round(time.Minute), 2*time.Hour+34*time.Minute; got != want {
			t.Errorf("the slowest of the small namespaces took %s, want %s", got, want)
		}
		if got, want := small[0].Round(time.Minute), 2*time.Hour+29*time.Minute; got != want {
			t.Errorf("the fastest of the small namespaces took %s, want %s", got, want)
		}
		for _, namespace := range namespaces {
			var own []string
			for _, id := range s.order[burst:] {
				if s.requests[id].Namespace == namespace {
					own = append(own, id)
				}
			}
			if !slices.IsSorted(own) {
				t.Errorf("%s is not served in order of expiry", namespace)
			}
		}
	})
}

// 1,300 tokens are due at once, and eight people in as many namespaces are waited for, each asked about every ten
// seconds. The tokens take no longer for that: 1,300 of 2,000 an hour.
func TestLimitWhoIsWaitedForHoldsNoTokenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(Options{PerHour: DefaultPerHour})
		start := time.Now()
		for n := range 1300 {
			s.ask(request("tokens", n, start.Add(time.Hour)))
		}
		polls := 0
		for range 360 {
			for n := range 8 {
				r := request("person-"+string(rune('a'+n)), n, time.Time{})
				r.Yields = true
				delete(s.used, r.ID)
				s.ask(r)
			}
			s.run(10 * time.Second)
			for id := range s.used {
				if s.requests[id].Yields {
					polls++
				}
			}
		}
		var last time.Duration
		tokens := 0
		for id, at := range s.used {
			if !s.requests[id].Yields {
				tokens++
				last = max(last, at.Sub(start))
			}
		}
		t.Logf("%d tokens within %s, and %d polls in an hour", tokens, last, polls)
		if tokens != 1300 || last > 39*time.Minute {
			t.Errorf("%d tokens, the last after %s, want 1300 within 39 minutes", tokens, last)
		}
		if got := tokens + polls; got < DefaultPerHour-20 || got > DefaultPerHour {
			t.Errorf("%d requests in an hour, want the rest of the limit of %d for the polls", got, DefaultPerHour)
		}
	})
}
