package clocks

import (
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const lifetime = 8 * time.Hour

var start = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)

// handClock is two clocks that are moved by hand.
type handClock struct {
	wall time.Time
	mono time.Duration
}

// pass lets time pass by both.
func (c *handClock) pass(d time.Duration) { c.wall, c.mono = c.wall.Add(d), c.mono+d }

// pairAt is the metadata of a pair in a version.
func pairAt(version string, change ...func(*rotation.Pair)) *rotation.Pair {
	pair := &rotation.Pair{
		Version: version,
		State:   rotation.State{AccessToken: "access", RefreshToken: "refresh", IssuedAt: start, ExpiresAt: start.Add(lifetime)},
	}
	for _, c := range change {
		c(pair)
	}
	return pair
}

func TestClocksSinceWhenAnIntentIsSeen(t *testing.T) {
	clock := &handClock{wall: start, mono: time.Hour}
	var running Clocks
	look := func(id string) time.Duration {
		pair := pairAt("1")
		if id != "" {
			pair.Intent = &rotation.Intent{ID: id}
		}
		if id == "no Secret" {
			pair = nil
		}
		seen, _ := running.Watch(pair, clock.wall, clock.mono)
		return seen
	}
	for i, step := range []struct {
		passes time.Duration
		id     string
		want   time.Duration
	}{
		{0, "a", 0},
		{time.Second, "a", time.Second},
		{time.Second, "a", 2 * time.Second},
		{time.Second, "b", 0}, // Another one is waited for anew.
		{5 * time.Second, "b", 5 * time.Second},
		{time.Second, "", 0},
		{time.Second, "b", 0}, // And so is the same after none.
		{time.Second, "no Secret", 0},
		{time.Second, "b", 0},
	} {
		clock.pass(step.passes)
		clock.wall = clock.wall.Add(-time.Hour) // Whatever the wall clock does.
		if got := look(step.id); got != step.want {
			t.Errorf("step %d: %s has been seen for %s, want %s", i, step.id, got, step.want)
		}
		if again := look(step.id); again != step.want {
			t.Errorf("step %d: a second look finds %s", i, again)
		}
	}
}

// However wrong the wall clock is when a token is first seen: it does not outlive its lifetime from then on.
func TestClocksTheMonotonicExpiryIsNoLaterThanTheLifetimeAfterTheClockWasSetBack(t *testing.T) {
	const lifetime = 8 * time.Hour
	for name, c := range map[string]struct {
		// off is what the wall clock is off by when the token is first seen, and passes what passes until then.
		off, passes time.Duration
		want        time.Duration
	}{
		"a clock that is right":                      {0, 0, lifetime},
		"a clock that is right, an hour later":       {0, time.Hour, lifetime - time.Hour},
		"a clock that was set back by an hour":       {-time.Hour, 0, lifetime},
		"a clock that was set back by a week":        {-7 * 24 * time.Hour, 0, lifetime},
		"a clock that was set back, five hours late": {-2 * time.Hour, 5 * time.Hour, lifetime - 3*time.Hour},
		"a clock that was set ahead by an hour":      {time.Hour, 0, lifetime - time.Hour},
		"a clock that was set ahead by a day":        {24 * time.Hour, 0, lifetime - 24*time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &handClock{wall: start, mono: time.Hour}
			clock.pass(c.passes)
			clock.wall = clock.wall.Add(c.off)
			var running Clocks
			_, left := running.Watch(pairAt("1"), clock.wall, clock.mono)
			if left == nil || *left != c.want {
				t.Fatalf("it lives for %v, want %s", left, c.want)
			}
			// From then on the wall clock does not matter.
			clock.pass(time.Minute)
			clock.wall = clock.wall.Add(-3 * time.Hour)
			if _, left = running.Watch(pairAt("2"), clock.wall, clock.mono); *left != c.want-time.Minute {
				t.Errorf("a minute later it lives for %s, want %s", *left, c.want-time.Minute)
			}
		})
	}
	t.Run("the time by the wall clock stays the same until that is set", func(t *testing.T) {
		clock := &handClock{wall: start, mono: time.Hour}
		var running Clocks
		_, left := running.Watch(pairAt("1"), clock.wall, clock.mono)
		first := clock.wall.Add(*left)
		for range 5 {
			clock.pass(time.Minute)
			clock.wall = clock.wall.Add(30 * time.Millisecond) // It is slewed.
			if _, left = running.Watch(pairAt("1"), clock.wall, clock.mono); !clock.wall.Add(*left).Equal(first) {
				t.Errorf("it has moved to %s", clock.wall.Add(*left))
			}
		}
		clock.wall = clock.wall.Add(-6 * time.Hour)
		if _, left = running.Watch(pairAt("1"), clock.wall, clock.mono); *left > lifetime-5*time.Minute {
			t.Errorf("after the clock was set back it lives for %s", *left)
		}
	})
	t.Run("each pair has its own, also when one of its tokens is as before", func(t *testing.T) {
		clock := &handClock{wall: start, mono: time.Hour}
		var running Clocks
		running.Watch(pairAt("1"), clock.wall, clock.mono)
		for _, change := range []func(*rotation.State){
			func(s *rotation.State) { s.AccessToken = "another" }, func(s *rotation.State) { s.RefreshToken = "another" },
		} {
			clock.pass(7 * time.Hour)
			next := pairAt("2", func(p *rotation.Pair) {
				change(&p.State)
				p.State.IssuedAt, p.State.ExpiresAt = clock.wall, clock.wall.Add(lifetime)
			})
			if _, left := running.Watch(next, clock.wall, clock.mono); *left != lifetime {
				t.Errorf("it lives for %s", *left)
			}
		}
	})
	t.Run("a token that does not expire has none", func(t *testing.T) {
		clock := &handClock{wall: start, mono: time.Hour}
		var running Clocks
		running.Watch(pairAt("1"), clock.wall, clock.mono)
		forever := pairAt("2", func(p *rotation.Pair) { p.State.ExpiresAt = time.Time{} })
		for _, pair := range []*rotation.Pair{forever, nil} {
			if _, left := running.Watch(pair, clock.wall, clock.mono); left != nil {
				t.Errorf("it lives for %s", *left)
			}
		}
	})
}
