package ratelimit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// poll is a poll of a code that GitHub has given out.
func poll(namespace string, n int) Request {
	r := request(namespace, n, time.Time{})
	r.Yields, r.Poll = true, true
	return r
}

func TestLimitFirstLoginOfAnAppIsPolledAsGitHubAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour})
		c.flood("github.com", "hostile", 700) // Whatever is made up does not hold up those who log in.
		for n := range 60 {
			if !c.ask(app, poll("team", n)) {
				t.Fatalf("poll %d waits, although nobody else logs in", n)
			}
			c.run(5 * time.Second)
		}
	})
}

func TestLimitPollsOfAHostAreSharedByNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour})
		for n := range 500 { // As many logins as a namespace may begin, which are all polled again at once.
			c.ask(fmt.Sprint("github.com/of-one-", n), poll("hostile", n))
		}
		c.again["hostile"] = true
		c.run(10 * time.Minute)
		longest := time.Duration(0)
		for n := range 20 {
			began := time.Now()
			c.ask(app, poll("team", n))
			for c.used[poll("team", n).ID].IsZero() && time.Since(began) < time.Hour {
				c.run(time.Second)
			}
			longest = max(longest, time.Since(began))
			c.run(5 * time.Second)
		}
		if longest > 12*time.Second {
			t.Errorf("a poll has waited %s behind those of another namespace", longest)
		}
		c.run(3 * time.Hour)
		if got := densestHour(c.used); got > DefaultPollsPerHour {
			t.Errorf("%d polls in an hour, want at most %d", got, DefaultPollsPerHour)
		}
	})
}

func TestLimitPauseAndSuccessReachPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: DefaultPerHour, PollsPerHour: 4, Burst: 1})
		c.ask(app, poll("team", 0))
		c.Pause(app, time.Now().Add(time.Hour))
		c.ask(app, poll("team", 1))
		c.ask(app, request("team", 2, time.Now()))
		c.run(59 * time.Minute)
		if len(c.used) != 1 || c.Waiting(app) != 2 {
			t.Errorf("%d have gone in the pause, and %d wait", len(c.used), c.Waiting(app))
		}
		if _, others := c.Stats(); others.Waiting != 2 || others.PausedUntil.IsZero() {
			t.Errorf("the statistics are %+v", others)
		}
		c.Succeeded(app)
		c.run(2 * time.Minute)
		if len(c.used) != 3 || c.Waiting(app) != 0 {
			t.Errorf("%d have gone after the pause with the App's own limit, and %d wait", len(c.used), c.Waiting(app))
		}
	})
}

// An App that has used both bursts has a debt with its own limit, also when that is changed.
func TestLimitPollsCountWhereAnAppHasALimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(Options{PerHour: 120, UnprovenPerHour: 60, PollsPerHour: 60})
		c.SetLimit(app, 100)
		for n := range 200 {
			c.ask(app, poll(fmt.Sprint("a", n), n))
			c.ask(app, request(fmt.Sprint("b", n), n, time.Now()))
		}
		before := len(c.used)
		c.Succeeded(app)
		c.run(time.Minute)
		if got := len(c.used); got != before {
			t.Errorf("%d of 40 that came at once were followed by %d", before, got-before)
		}
		c.run(5 * time.Hour)
		if got := densestHour(c.used); got > 120 {
			t.Errorf("%d in an hour", got)
		}
	})
}
