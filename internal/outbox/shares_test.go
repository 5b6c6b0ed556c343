package outbox

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// of is the n-th resource of a namespace.
func of(namespace string, n int) rotation.Owner {
	return rotation.Owner{Namespace: namespace, Name: fmt.Sprint(n), UID: fmt.Sprintf("%s-%d", namespace, n)}
}

// keptFor keeps a reply of a resource that is never stored.
func keptFor(t *testing.T, o *Outbox, owner rotation.Owner) {
	t.Helper()
	reply := record(owner.UID, "body")
	reply.Owner = owner
	if err := o.Keep(reply); err != nil {
		t.Fatal(err)
	}
}

// fill begins exchanges in a namespace whose pairs are kept and not stored, until no more may begin.
func fill(t *testing.T, o *Outbox, namespace string) (kept int) {
	t.Helper()
	for {
		if kept == 100 {
			t.Fatalf("%s has no share: it keeps %d replies", namespace, kept)
		}
		owner := of(namespace, kept)
		if err := o.Reserve(owner); errors.Is(err, rotation.ErrShareUsed) {
			return kept
		} else if err != nil {
			t.Fatal(err)
		}
		keptFor(t, o, owner)
		o.Release(owner)
		kept++
	}
}

// A namespace whose pairs cannot be stored keeps nobody else from an exchange, before a restart and after it.
func TestANamespaceLeavesRoomInTheOutbox(t *testing.T) {
	const slots, places = 2, 16
	dir, disk := t.TempDir(), &faults{size: (slots + 2 + places) * slotSize}
	o := open(t, dir, Options{Slots: slots, files: disk})
	if got := fill(t, o, "hostile"); got != 12 {
		t.Errorf("a namespace alone keeps %d of %d replies, want 12", got, places)
	}
	if err := o.Reserve(of("victim", 0)); err != nil {
		t.Errorf("another namespace is refused: %v", err)
	}
	o.Release(of("victim", 0))
	if err := o.Remove("hostile-0"); err != nil {
		t.Fatal(err)
	}
	if err := o.Reserve(of("hostile", 100)); err != nil {
		t.Errorf("a place that was given back is not free: %v", err)
	}
	o.Release(of("hostile", 100))
	_ = o.Close()

	o = open(t, dir, Options{Slots: slots, files: disk})
	if got := fill(t, o, "hostile"); got != 1 {
		t.Errorf("after a restart the namespace keeps %d replies more, want 1", got)
	}
	if got := fill(t, o, "victim"); got != 3 {
		t.Errorf("after a restart another namespace keeps %d replies, want 3", got)
	}
}

// Exchanges under way count: all of them may bring a pair that cannot be stored.
func TestExchangesUnderWayCountAgainstTheShare(t *testing.T) {
	disk := &faults{size: (2 + 2 + 16) * slotSize}
	o := open(t, t.TempDir(), Options{Slots: 2, files: disk})
	var begun []rotation.Owner
	for len(begun) < 100 {
		owner := of("hostile", len(begun))
		if err := o.Reserve(owner); err != nil {
			break
		}
		begun = append(begun, owner)
	}
	if len(begun) != 12 {
		t.Errorf("%d exchanges may be under way at once, want 12", len(begun))
	}
	for _, owner := range begun {
		keptFor(t, o, owner) // Takes what was reserved.
		o.Release(owner)     // Is none any more.
	}
	if err := o.Reserve(of("victim", 0)); err != nil {
		t.Errorf("another namespace is refused: %v", err)
	}
	if err := o.Reserve(of("hostile", 100)); !errors.Is(err, rotation.ErrShareUsed) {
		t.Errorf("the namespace is not refused: %v", err)
	}
}

// What is reserved and not used is given back, in whatever way the exchange ends.
func TestNothingStaysReserved(t *testing.T) {
	disk := &faults{size: (2 + 2 + 1) * slotSize}
	o := open(t, t.TempDir(), Options{Slots: 2, files: disk})
	disk.failAlways("overwrite", syscall.EROFS)
	if err := o.Reserve(of("a", 0)); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("reserved on a broken disk: %v", err)
	}
	disk.failAlways("", nil)
	for range 3 {
		if err := o.Reserve(of("b", 0)); err != nil {
			t.Fatalf("the only place is still taken: %v", err)
		}
		o.Release(of("b", 0))
		o.Release(of("b", 0))
	}
	keptFor(t, o, of("b", 0))
	keptFor(t, o, of("b", 0)) // The same record again.
	if err := o.Remove("b-0"); err != nil {
		t.Fatal(err)
	}
	if err := o.Remove("b-0"); err != nil {
		t.Fatal(err)
	}
	if err := o.Reserve(of("c", 0)); err != nil {
		t.Errorf("a record that was kept twice was not given back once: %v", err)
	}
}

func TestTheRoomIsThatOfTheFileSystem(t *testing.T) {
	for _, test := range []struct {
		bytes       uint64
		slots, want int
	}{
		{32 << 20, 256, 766},
		{64 << 20, 256, 1024},
		{noLimit, 16, 1024},
		{8 << 20, 256, 1},
		{0, 16, 1},
	} {
		if got := capacity(test.bytes, test.slots); got != test.want {
			t.Errorf("%d bytes with %d slots have room for %d records, want %d", test.bytes, test.slots, got, test.want)
		}
	}
}
