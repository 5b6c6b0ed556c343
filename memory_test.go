package main

import (
	"errors"
	"math"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
)

func TestMemoryLimitLeavesRoomForTheOutbox(t *testing.T) {
	const mebi, before = 1 << 20, 1 << 40
	for name, c := range map[string]struct {
		limit  memlimit.Provider
		outbox uint64
		env    string
		want   int64
	}{
		"as shipped":                         {limit: memlimit.Limit(512 * mebi), outbox: 32 * mebi, want: 432 * mebi},
		"an outbox on a disk":                {limit: memlimit.Limit(500 * mebi), want: 450 * mebi},
		"an outbox larger than the limit":    {limit: memlimit.Limit(100 * mebi), outbox: 200 * mebi, want: 45 * mebi},
		"no limit":                           {limit: func() (uint64, error) { return 0, memlimit.ErrNoLimit }, outbox: 32 * mebi, want: math.MaxInt64},
		"a limit that cannot be found":       {limit: func() (uint64, error) { return 0, errors.New("no cgroup") }, want: before},
		"one that is set in the environment": {limit: memlimit.Limit(512 * mebi), env: "1TiB", want: before},
	} {
		t.Run(name, func(t *testing.T) {
			restored := debug.SetMemoryLimit(before)
			t.Cleanup(func() { debug.SetMemoryLimit(restored) })
			if c.env != "" {
				t.Setenv("GOMEMLIMIT", c.env)
			}
			limitMemory(logr.Discard(), c.limit, c.outbox)
			got := debug.SetMemoryLimit(-1)
			// A ratio is a float.
			if diff := got - c.want; diff < -1 || diff > 1 {
				t.Errorf("GOMEMLIMIT is %d, want %d", got, c.want)
			}
		})
	}
}
