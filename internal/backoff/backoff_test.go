package backoff

import (
	"math"
	"testing"
	"time"
)

func TestBackoffAfter(t *testing.T) {
	for name, c := range map[string]struct {
		backoff  Backoff
		failures int
		want     time.Duration
	}{
		"the first wait":                        {Backoff{time.Second, time.Minute}, 1, time.Second},
		"no failure counts as one":              {Backoff{time.Second, time.Minute}, 0, time.Second},
		"it doubles":                            {Backoff{time.Second, time.Minute}, 4, 8 * time.Second},
		"up to the longest":                     {Backoff{time.Second, time.Minute}, 7, time.Minute},
		"and stays there":                       {Backoff{time.Second, time.Minute}, math.MaxInt, time.Minute},
		"what was asked for is never shortened": {Backoff{time.Hour, time.Minute}, 1, time.Hour},
		"nor made longer by further failures":   {Backoff{time.Hour, time.Minute}, 9, time.Hour},
		"no wait stays none":                    {Backoff{}, 5, 0},
		"a longest wait near the end of int64":  {Backoff{1, math.MaxInt64}, 100, 1 << 62},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.backoff.After(c.failures); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
