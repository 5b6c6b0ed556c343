package backoff

import (
	"testing"
	"time"
)

// fight lets somebody undo what was put right, each time after a while, and returns how often it was put right in a time.
func fight(c *Contest, undoneAfter, within time.Duration) (rounds int) {
	for mono := time.Duration(0); ; mono += undoneAfter {
		mono += c.Wait(1, mono, ContestPause)
		if mono > within {
			return rounds
		}
		c.Round(1, mono)
		rounds++
	}
}

func TestContestIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		undoneAfter, within time.Duration
		want                int
	}{
		"an edit now and then is undone at once":        {11 * time.Minute, 2 * time.Hour, 11},
		"a mirror, for ten seconds":                     {time.Millisecond, 10 * time.Second, 7},
		"a mirror, for an hour":                         {time.Millisecond, time.Hour, 23},
		"a controller that looks each three minutes":    {3 * time.Minute, time.Hour, 17},
		"somebody who is slower than the longest pause": {6 * time.Minute, time.Hour, 11},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fight(&Contest{}, c.undoneAfter, c.within); got != c.want {
				t.Errorf("it was put right %d times, want %d", got, c.want)
			}
		})
	}
}

func TestContestIsToldOfWhenItIsOne(t *testing.T) {
	var c Contest
	for round := range undoneAtOnce {
		if c.Wait(1, 0, ContestPause) != 0 || c.TellFor(0) != 0 {
			t.Fatalf("it waits, or tells of a contest, after %d rounds", round)
		}
		c.Round(1, 0)
	}
	if c.TellFor(0) != 0 {
		t.Error("what stands is told of")
	}
	if got := c.Wait(1, 0, ContestPause); got != time.Second || c.TellFor(0) != time.Minute {
		t.Errorf("it waits for %s and is told of for %s", got, c.TellFor(0))
	}
	if got := c.TellFor(59 * time.Second); got != time.Second {
		t.Errorf("after 59 s it is told of for %s", got)
	}
	if c.TellFor(time.Minute) != 0 {
		t.Error("what has stood for a minute is told of")
	}
	if c.IsOver(10*time.Minute-1) || !c.IsOver(10*time.Minute) {
		t.Error("it is not forgotten after ten minutes")
	}
	if c.Wait(1, 10*time.Minute, ContestPause) != 0 || c.Rounds != 0 {
		t.Error("what was put right ten minutes ago counts")
	}
}

func TestContestPausesNoLongerThanTheCallerWants(t *testing.T) {
	var c Contest
	for range 20 {
		c.Round(1, 0)
	}
	if long, short := c.Wait(1, 0, ContestPause), c.Wait(1, 0, 10*time.Second); long != 5*time.Minute || short != 10*time.Second {
		t.Errorf("it waits for %s, or %s", long, short)
	}
}

func TestContestOverSomethingElseBeginsAnew(t *testing.T) {
	var c Contest
	for range 10 {
		c.Round(1, 0)
	}
	if c.Wait(1, 0, ContestPause) == 0 {
		t.Fatal("ten rounds make it wait for nothing")
	}
	if c.Wait(2, 0, ContestPause) != 0 || c.TellFor(0) != 0 {
		t.Error("something else waits")
	}
	c.Round(2, 0)
	if c.Rounds != 1 {
		t.Errorf("it counts %d rounds", c.Rounds)
	}
	if !(&Contest{}).IsOver(0) {
		t.Error("what never was put right is remembered")
	}
}
