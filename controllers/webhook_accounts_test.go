package controllers

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// askedAccounts are accounts about which to ask takes a second.
type askedAccounts struct {
	accounts

	mu     sync.Mutex
	asked  []int64
	now    int
	atOnce int
}

func newAskedAccounts() *askedAccounts {
	a := &askedAccounts{}
	a.ask = func(id int64) {
		a.mu.Lock()
		a.asked = append(a.asked, id)
		a.now++
		a.atOnce = max(a.atOnce, a.now)
		a.mu.Unlock()
		time.Sleep(time.Second)
		a.mu.Lock()
		a.now--
		a.mu.Unlock()
	}
	return a
}

func TestReceiverNoticesOfMoreAccountsThanMayWaitAreNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAskedAccounts()
		refused := 0
		for id := range int64(2 * maxAccounts) {
			if taken, _ := a.add(id); !taken {
				refused++
			}
		}
		if refused != maxAccounts {
			t.Errorf("%d were refused, want %d", refused, maxAccounts)
		}
		a.wait()
		if len(a.asked) != maxAccounts || a.atOnce != accountsAtOnce {
			t.Errorf("%d were asked about, %d at once, want %d and %d", len(a.asked), a.atOnce, maxAccounts, accountsAtOnce)
		}
		if taken, _ := a.add(1); !taken {
			t.Error("there is no room afterwards")
		}
		a.wait()
		if len(a.known) != 0 || len(a.waiting) != 0 || a.workers != 0 {
			t.Errorf("left: %d accounts, %d waiting, %d workers", len(a.known), len(a.waiting), a.workers)
		}
	})
}

func TestReceiverNoticeDuringARoundBringsAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAskedAccounts()
		for range 3 {
			a.add(7) // The round has not begun, so one will do.
		}
		time.Sleep(time.Second / 2)
		for range 3 {
			if taken, isNew := a.add(7); !taken || isNew {
				t.Errorf("taken %t, new %t", taken, isNew)
			}
		}
		a.wait()
		if !slices.Equal(a.asked, []int64{7, 7}) {
			t.Errorf("asked about %v, want it twice", a.asked)
		}
	})
}
