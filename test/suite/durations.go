package suite

import (
	"fmt"
	"slices"
	"time"
)

// Durations print as their quantiles.
type Durations []time.Duration

func (d Durations) String() string {
	in := func(share float64) time.Duration { return d.Quantile(share).Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p99 %s, max %s", in(0.5), in(0.99), in(1))
}

// Quantile is the smallest duration that is not exceeded by this share of all; zero if there are none.
func (d Durations) Quantile(share float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	last := int(share*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(last, 0), len(sorted)-1)]
}
