package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/go-logr/logr"
)

func TestMemoryRoomIsAShareOfWhatIsAlive(t *testing.T) {
	const mebi = 1 << 20
	for alive, want := range map[uint64]int{0: 400, 1: 400, mebi: 400, 4 * mebi: 400, 8 * mebi: 200, 16 * mebi: 100, 32 * mebi: 50, 64 * mebi: 30, 1 << 40: 30, math.MaxUint64: 30} {
		if got := percentFor(alive, 30); got != want {
			t.Errorf("%d bytes alive: GOGC is %d, want %d", alive, got, want)
		}
	}
}

func TestMemoryRoomIsSetAfterEachCollection(t *testing.T) {
	set := make(chan int, 1000)
	keeper := &roomKeeper{set: func(percent int) int { set <- percent; return 0 }}
	keeper.collected()
	got := <-set
	ballast := make([]byte, 64<<20)
	until := func(want int) {
		for got != want {
			runtime.GC()
			select {
			case got = <-set:
			default:
				runtime.Gosched()
			}
		}
	}
	until(startPercent)
	keeper.started.Store(true)
	until(roomPercent)
	runtime.KeepAlive(ballast)
}

func TestMemoryRoomIsThatOfTheEnvironment(t *testing.T) {
	const theirs = 77
	before := debug.SetGCPercent(theirs)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	t.Setenv("GOGC", "77")
	keepRoom(logr.Discard())()
	runtime.GC()
	if got := debug.SetGCPercent(theirs); got != theirs {
		t.Errorf("GOGC is %d", got)
	}
}
