package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// look is how often it is looked whether anything is being done, and quietLooks is how often in a row nothing must be.
	look       = 500 * time.Millisecond
	quietLooks = 2
	// quietBytes is how much may be allocated between two looks while nothing is being done.
	quietBytes = 256 << 10
	// startLasts is how long a start may last where it never becomes quiet.
	startLasts = 5 * time.Minute
)

// releaseAtRest gives memory back when there is nothing to do after there was much: after a start, most of all. The runtime
// would do so as well, but for what the next collection of garbage finds, which at rest is minutes away. The first time, or after
// startLasts, the start is over. It ends with the context.
func releaseAtRest(ctx context.Context, started func()) {
	r := releaser{allocated: allocated, release: func() { started(); debug.FreeOSMemory() }}
	defer time.AfterFunc(startLasts, started).Stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.look()
		}
	}
}

// releaser knows how much was allocated when.
type releaser struct {
	allocated func() uint64
	release   func()
	// last is what was allocated until the last look, and released until memory was last given back.
	last, released uint64
	quiet          int
}

func (r *releaser) look() {
	now := r.allocated()
	isQuiet := now-r.last <= quietBytes
	if r.last = now; !isQuiet {
		r.quiet = 0
		return
	}
	if r.quiet++; r.quiet == quietLooks && now-r.released > leastRoom {
		r.release()
		r.released = r.allocated()
	}
}

// allocated is how many bytes the process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
