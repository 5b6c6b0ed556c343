package simulation

import (
	"fmt"
	"testing"
)

func TestZZ(t *testing.T) {
	for start := uint64(31); start < 45; start++ {
		cfg := ConfigFor(start)
		cfg.Break = BreakOutboxSkipped
		for Run(cfg).Violation == "" {
			cfg.Seed++
		}
		small := Shrink(cfg, 600)
		fmt.Println(start, cfg.Seed, len(small.Only), small.Faults.Count(), Run(small).Violation)
	}
}
