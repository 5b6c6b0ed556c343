package notices

import (
	"fmt"
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
	asked  []string
	now    int
	atOnce int
}

func newAskedAccounts() *askedAccounts {
	a := &askedAccounts{}
	a.ask = func(id string) {
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

// ofKnown are those of them that have a name.
func (a *askedAccounts) ofKnown() []string {
	return slices.DeleteFunc(slices.Clone(a.asked), func(id string) bool { return id == unknownAccount })
}

func TestReceiverNoticesOfMoreAccountsThanMayWaitAreNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAskedAccounts()
		refused := 0
		for id := range 2 * maxAccounts {
			if taken, _ := a.add(fmt.Sprint(id)); !taken {
				refused++
			}
		}
		if refused != maxAccounts {
			t.Errorf("%d were refused, want %d", refused, maxAccounts)
		}
		a.wait()
		if n := len(a.ofKnown()); n != maxAccounts || a.atOnce != accountsAtOnce {
			t.Errorf("%d were asked about, %d at once, want %d and %d", n, a.atOnce, maxAccounts, accountsAtOnce)
		}
		if taken, _ := a.add("1"); !taken {
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
			a.add("7") // The round has not begun, so one will do.
		}
		time.Sleep(time.Second / 2)
		for range 3 {
			if taken, isNew := a.add("7"); !taken || isNew {
				t.Errorf("taken %t, new %t", taken, isNew)
			}
		}
		a.wait()
		if !slices.Equal(a.ofKnown(), []string{"7", "7"}) {
			t.Errorf("asked about %v, want it twice", a.ofKnown())
		}
	})
}

// Anybody who authorizes a public App and revokes it again has GitHub send notices.
func TestPairsOfUnknownAccountsAreAskedAboutLastAndOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAskedAccounts()
		for id := range 3 * accountsAtOnce {
			a.add(fmt.Sprint(id))
		}
		a.wait()
		if n := len(a.asked); n != 3*accountsAtOnce+1 || !slices.Contains(a.asked[n-accountsAtOnce-1:], unknownAccount) {
			t.Errorf("asked about %v", a.asked)
		}
		a.asked = nil
		for id := range 600 {
			a.add(fmt.Sprint("a", id))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * unknownPause)
		a.wait()
		if n := len(a.asked) - len(a.ofKnown()); n < 9 || n > 11 {
			t.Errorf("unknown accounts were asked about %d times in ten minutes", n)
		}
		a.accounts.mu.Lock()
		rests := a.resting || a.more
		a.accounts.mu.Unlock()
		if rests {
			t.Error("it rests for ever")
		}
		a.add("b")
		a.end()
		time.Sleep(time.Second)
		a.add("c")
		time.Sleep(2 * unknownPause)
		if got := a.ofKnown()[600:]; !slices.Equal(got, []string{"b"}) {
			t.Errorf("at the end and after it is asked about %v", got)
		}
	})
}

func TestNoticesAskAboutPairsOfEachNamespaceInTurn(t *testing.T) {
	namespaces := slices.Repeat([]string{"flood"}, 10_000)
	namespaces = append(namespaces, slices.Repeat([]string{"team-a"}, 5)...)
	namespaces = append(namespaces, "team-b")
	of := func(i int) string { return namespaces[i] }
	chosen := inTurns(len(namespaces), of, 8, 100)
	counts := map[string]int{}
	for at, i := range chosen {
		counts[of(i)]++
		if of(i) != "flood" && at > 10 {
			t.Errorf("a pair of %s has turn %d", of(i), at)
		}
	}
	if counts["flood"] != 8 || counts["team-a"] != 5 || counts["team-b"] != 1 {
		t.Errorf("of each are chosen %v", counts)
	}
	slices.Sort(chosen)
	if len(slices.Compact(chosen)) != 14 {
		t.Error("one is chosen twice")
	}
	if n := len(inTurns(len(namespaces), of, 8, 6)); n != 6 {
		t.Errorf("%d are chosen, want 6", n)
	}
	if len(inTurns(0, of, 8, 6)) != 0 {
		t.Error("some of none are chosen")
	}
}

func TestNoticesOfATenantsAppLeaveRoomToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		a := &accounts{ask: func(string) { <-let }, ofNamespace: namespaceOfNotice}
		took := 0
		for id := range maxAccounts {
			if taken, _ := a.add(noticeOf(int64(id), &Webhook{Key: "k", Namespace: "team-a"})); taken {
				took++
			}
		}
		if taken, _ := a.add(noticeOf(1, &Webhook{Key: "k", Namespace: "team-b"})); !taken || took != maxOfNamespace {
			t.Errorf("one namespace has %d accounts, and another one is taken: %v", took, taken)
		}
		close(let)
		a.wait()
	})
}
