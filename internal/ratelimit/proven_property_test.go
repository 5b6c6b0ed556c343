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

// Whatever Apps of a host ask, succeed, pause and are given up: no App has more than its limit in any rolling hour,
// those that have not succeeded no more than theirs together, and everybody who asks is served in the end.
func TestLimitsOfAppsAndOfTheirHostHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		perHour := rapid.IntRange(1, 60).Draw(rt, "per hour")
		unproven := rapid.IntRange(1, 60).Draw(rt, "unproven per hour")
		polls := rapid.IntRange(1, 60).Draw(rt, "polls per hour")
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				kind:      rapid.IntRange(0, 9).Draw(rt, "kind"),
				namespace: rapid.IntRange(0, 3).Draw(rt, "namespace"),
				id:        rapid.IntRange(0, 30).Draw(rt, "id"),
				wait:      rapid.IntRange(0, 600).Draw(rt, "wait"),
			}
		}), 1, 120).Draw(rt, "steps")
		var problem string
		synctest.Test(t, func(*testing.T) { problem = simulateApps(perHour, unproven, polls, steps) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

func simulateApps(perHour, unproven, polls int, steps []step) (problem string) {
	fail := func(format string, args ...any) {
		if problem == "" {
			problem = fmt.Sprintf(format, args...)
		}
	}
	var (
		uses    = map[string][]time.Time{} // by App, by "" for those not proven, and by "polls" for the polls of these
		paused  = map[string]time.Time{}
		proven  = map[string]bool{}
		wants   = map[string]Request{}
		apps    = map[string]string{}
		wakes   = make(chan string, 1<<14)
		limiter = New(Options{PerHour: perHour, UnprovenPerHour: unproven, PollsPerHour: polls, Wake: func(id string) { wakes <- id }})
	)
	charge := func(whose string, most int, now time.Time) {
		uses[whose] = append(uses[whose], now)
		first, _ := slices.BinarySearchFunc(uses[whose], now.Add(-time.Hour), time.Time.Compare)
		if got := len(uses[whose]) - first; got > most {
			fail("%q has %d in a rolling hour, limit %d", whose, got, most)
		}
	}
	ask := func(app string, r Request) {
		wants[r.ID], apps[r.ID] = r, app
		now := time.Now()
		ok, estimate := limiter.Acquire(app, r)
		switch {
		case !ok && (estimate.Before(now) || estimate.Before(paused[app])):
			fail("the estimate is in the past or in a pause")
		case !ok:
			return
		case now.Before(paused[app]):
			fail("%s goes ahead during its pause", app)
		}
		delete(wants, r.ID)
		charge(app, perHour, now)
		switch most := min(polls, perHour-unproven); {
		case proven[app]:
		case r.Poll && most > 0:
			charge("polls", most, now)
		default:
			charge("", min(unproven, perHour), now)
		}
	}
	run := func(d time.Duration) {
		for end := time.After(d); ; {
			select {
			case id := <-wakes:
				if r, ok := wants[id]; ok {
					ask(apps[id], r)
				}
			case <-end:
				return
			}
		}
	}
	for _, s := range steps {
		app := fmt.Sprint("github.com/", s.id%4)
		r := Request{ID: fmt.Sprint(s.id), Namespace: fmt.Sprint(s.namespace), Expiry: time.Now().Add(time.Duration(s.wait) * time.Minute), Yields: s.id%3 == 0, Poll: s.id%6 == 0}
		switch s.kind {
		case 0:
			limiter.Cancel(r.ID)
			delete(wants, r.ID)
		case 1:
			if until := time.Now().Add(time.Duration(s.wait) * time.Second); until.After(paused[app]) {
				paused[app] = until
			}
			limiter.Pause(app, time.Now().Add(time.Duration(s.wait)*time.Second))
		case 2:
			limiter.Succeeded(app)
			proven[app] = true
		case 3, 4:
			run(time.Duration(s.wait) * time.Second)
		case 5: // It asks for another App.
			ask(fmt.Sprint("github.com/", s.wait%4), r)
		default:
			ask(app, r)
		}
	}
	for range 3 {
		for _, id := range slices.Sorted(maps.Keys(wants)) {
			ask(apps[id], wants[id])
		}
		run(time.Duration(40/min(perHour, unproven, max(1, min(polls, perHour-unproven)))+13) * time.Hour)
	}
	if len(wants) > 0 {
		fail("%d are never served", len(wants))
	}
	if len(limiter.of) != 0 {
		fail("the limiter remembers %d requests that are gone", len(limiter.of))
	}
	return problem
}
