package main

import (
	"fmt"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr"
)

// memoryShare is how much of the memory that is left to the process its heap may take, before garbage is collected more
// often. The rest is for what the Go runtime does not count: pages of the program, buffers of the kernel.
const memoryShare = 0.9

// limitMemory sets GOMEMLIMIT by the limit of the container, less what the outbox may take of it: files in memory count
// against the same limit, and the Go runtime does not know of them. So the operator rather collects garbage than be killed
// while it holds pairs. An environment variable GOMEMLIMIT wins.
func limitMemory(log logr.Logger, limit memlimit.Provider, outbox uint64) {
	set, err := memlimit.Set(memlimit.WithRatio(memoryShare), memlimit.WithProvider(less(limit, outbox)))
	if err != nil {
		// Nothing depends on it, and outside of a container there may be none.
		log.Info("The memory limit is not known, so GOMEMLIMIT is not set", "reason", err.Error())
		return
	}
	log.Info("Set GOMEMLIMIT", "bytes", set)
}

// less is a limit without what something else may take, and at least half of it: the collector would do little else
// under a limit that is smaller than what is alive.
func less(limit memlimit.Provider, taken uint64) memlimit.Provider {
	return func() (uint64, error) {
		all, err := limit()
		if err != nil {
			return 0, fmt.Errorf("find the memory limit: %w", err)
		}
		return max(all-min(taken, all), all/2), nil
	}
}
