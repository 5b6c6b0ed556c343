package backoff

import (
	"testing"
	"time"
)

func TestDueStaysTheSameUnlessTheWallClockIsSet(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 999_000_000, time.UTC)
	at := DueIn(10*time.Second, start, time.Hour)
	for name, c := range map[string]struct {
		wall, mono time.Duration // since start
		want       time.Duration
		hasCome    bool
	}{
		"at once":                               {0, 0, 10 * time.Second, false},
		"clocks that are read some time apart":  {3 * time.Second, 3*time.Second + 7*time.Millisecond, 10 * time.Second, false},
		"the wall clock was set back an hour":   {-time.Hour, 4 * time.Second, -time.Hour + 6*time.Second, false},
		"the wall clock was set ahead an hour":  {time.Hour, 4 * time.Second, time.Hour + 6*time.Second, false},
		"when it has come":                      {10*time.Second + time.Millisecond, 10 * time.Second, 10 * time.Second, true},
		"when it has come, by the set clock":    {-time.Hour, 10 * time.Second, -time.Hour, true},
		"when it has long come and still waits": {time.Hour, time.Hour, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := at.At(start.Add(c.wall), time.Hour+c.mono); !got.Equal(start.Add(c.want)) {
				t.Errorf("it is at %v, want %v", got.Sub(start), c.want)
			}
			if got := at.HasCome(time.Hour + c.mono); got != c.hasCome {
				t.Errorf("it has come: %t, want %t", got, c.hasCome)
			}
		})
	}
	if !(Due{}).HasCome(0) {
		t.Error("the zero Due is still to come")
	}
}

func TestEarliestTimeThatHasPassedIsAtOnceAndZeroIsNever(t *testing.T) {
	passed, later := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	if got := Earliest(time.Time{}, later, passed); !got.Equal(passed) {
		t.Errorf("a time that has passed is dropped for %s", got)
	}
	if got := Earliest(time.Time{}, later, time.Time{}); !got.Equal(later) {
		t.Errorf("zero is a time: %s", got)
	}
	if got := Earliest(time.Time{}); !got.IsZero() {
		t.Errorf("of no time is made %s", got)
	}
}
