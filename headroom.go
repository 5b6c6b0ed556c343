package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"

	"github.com/go-logr/logr"
)

const (
	// leastRoom is how much may be allocated between two collections of garbage, in bytes: where little is alive a share of that
	// would have garbage collected all the time.
	leastRoom = 16 << 20
	// roomPercent is how much it may be of what is alive, where that is more. The caches are most of what is alive and hardly ever
	// change: more of it would be memory for nothing.
	roomPercent = 30
	// startPercent is the same during a start, which allocates many times what stays alive.
	startPercent = 50
	// mostPercent bounds it where hardly anything is alive, as at the beginning.
	mostPercent = 400
)

// keepRoom sets GOGC anew after each collection, by what is alive. An environment variable GOGC wins.
// started says that the start is over.
func keepRoom(log logr.Logger) (started func()) {
	if os.Getenv("GOGC") != "" {
		log.Info("GOGC is set in the environment")
		return func() {}
	}
	keeper := &roomKeeper{set: debug.SetGCPercent}
	keeper.collected()
	return func() { keeper.started.Store(true) }
}

// roomKeeper learns of collections by an object that each of them finds dead.
type roomKeeper struct {
	set     func(percent int) (before int)
	percent int
	started atomic.Bool
}

// sentinel has a pointer, so that it shares no memory with others.
type sentinel struct{ _ *sentinel }

// collected is called after each collection, by one goroutine.
func (k *roomKeeper) collected() {
	alive := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(alive)
	if alive[0].Value.Kind() == metrics.KindUint64 {
		least := startPercent
		if k.started.Load() {
			least = roomPercent
		}
		if percent := percentFor(alive[0].Value.Uint64(), least); percent != k.percent {
			k.percent = percent
			k.set(percent)
		}
	}
	runtime.AddCleanup(&sentinel{}, (*roomKeeper).collected, k)
}

// percentFor is GOGC for so many bytes that are alive.
func percentFor(alive uint64, least int) int {
	return max(int(min(leastRoom*100/max(alive, 1), mostPercent)), least)
}
