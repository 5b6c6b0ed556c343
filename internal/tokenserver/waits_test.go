package tokenserver

import (
	"fmt"
	"testing"
)

// However many namespaces take all they can, another one finds room, at the cost of the one that has most.
func TestTokenServerWaitsOfFewNamespacesLeaveRoomToOthers(t *testing.T) {
	w := newWaits()
	var leaves []func()
	ended := map[string][]<-chan struct{}{}
	join := func(namespace string) bool {
		end, leave := w.join(namespace, false)
		if leave == nil {
			return false
		}
		leaves, ended[namespace] = append(leaves, leave), append(ended[namespace], end)
		return true
	}
	for i := range 4 {
		for range maxWaits {
			join(fmt.Sprint("taker-", i))
		}
	}
	if w.taken != maxWaits {
		t.Fatalf("%d wait", w.taken)
	}
	if join("taker-0") {
		t.Error("one that has as many as any has another one")
	}
	for i := range 100 {
		if !join(fmt.Sprint("other-", i%50)) {
			t.Fatalf("there is no room for others after %d", i)
		}
	}
	early := 0
	for namespace, all := range ended {
		for i, end := range all {
			select {
			case <-end:
				if early++; namespace[:5] != "taker" || i > maxWaits {
					t.Errorf("%d of %s was ended", i, namespace)
				}
			default:
			}
		}
	}
	if w.taken != maxWaits || early != len(leaves)-maxWaits {
		t.Errorf("%d wait, and %d were ended early of %d", w.taken, early, len(leaves))
	}
	for _, leave := range leaves {
		leave()
	}
	if w.taken != 0 || len(w.of) != 0 {
		t.Errorf("%d wait, of %d namespaces", w.taken, len(w.of))
	}
}

// Those who wait for an exchange to end do not stand behind those who wait for the next one.
func TestTokenServerHasRoomForShortWaits(t *testing.T) {
	w := newWaits()
	for range maxWaits {
		w.join("agents", false)
	}
	if _, leave := w.join("agents", false); leave != nil {
		t.Error("there are more than may be")
	}
	_, leave := w.join("agents", true)
	if leave == nil {
		t.Fatal("there is no room for a short wait")
	}
	leave()
	for range maxShortWaits {
		w.join("agents", true)
	}
	if _, leave := w.join("others", true); leave == nil {
		t.Error("one namespace has all of them")
	}
}
