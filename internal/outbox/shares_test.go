package outbox

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// of is the n-th resource of a namespace.
func of(namespace string, n int) rotation.Owner {
	return rotation.Owner{Namespace: namespace, Name: fmt.Sprint(n), UID: fmt.Sprintf("%s-%d", namespace, n)}
}

// roomFor is a file system in which there are so many places beside two spares.
func roomFor(places uint64) *faults { return &faults{size: (2 + 2 + places) * slotSize} }

// recordOf is a reply of a resource. Its id is the UID.
func recordOf(owner rotation.Owner) rotation.Record {
	reply := record(owner.UID, "body")
	reply.Owner = owner
	return reply
}

// keptFor keeps a reply of a resource that is never stored.
func keptFor(t *testing.T, o *Outbox, owner rotation.Owner) {
	t.Helper()
	if err := o.Keep(recordOf(owner)); err != nil {
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
		if err := o.Reserve(owner); errors.Is(err, rotation.ErrPlacesInUse) || errors.Is(err, rotation.ErrShareUsed) || errors.Is(err, errFull) {
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
func TestOutboxNamespaceLeavesRoomInTheOutbox(t *testing.T) {
	now := time.Now()
	dir, options := t.TempDir(), Options{Slots: 2, files: roomFor(64), Now: func() time.Time { return now }}
	o := open(t, dir, options)
	if got := fill(t, o, "hostile"); got != 8 {
		t.Errorf("a namespace alone keeps %d of 64 replies, want 8", got)
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

	now = now.Add(time.Hour)
	o = open(t, dir, options)
	if age := o.Stats().OldestAge; age < time.Hour-time.Minute {
		t.Errorf("after a restart a reply of an hour ago is %s old", age)
	}
	if got := fill(t, o, "hostile"); got != 1 {
		t.Errorf("after a restart the namespace keeps %d replies more, want 1", got)
	}
	now = now.Add(time.Hour)
	if err := o.Take(of("hostile", 100)); !errors.Is(err, rotation.ErrShareUsed) {
		t.Errorf("after a restart the namespace is told %v", err)
	}
	if got := fill(t, o, "victim"); got != 7 {
		t.Errorf("after a restart another namespace keeps %d replies, want 7", got)
	}
}

// One tenant has ten namespaces, each of which keeps all the replies that it may. Whoever comes then finds places for many
// exchanges at once, and a place even when the outbox is as full as many more such namespaces can make it.
func TestOutboxManyHostileNamespacesLeavePlacesToAnother(t *testing.T) {
	s, now := newShares(capacity(32<<20, 256)), time.Now()
	hostile := func(n int) {
		namespace := fmt.Sprintf("hostile-%d", n)
		for i := range s.limit {
			owner := of(namespace, i)
			if s.reserve(owner, now) != nil {
				return
			}
			s.keep(owner, owner.UID, now)
		}
	}
	victim := func(n int) (got int) {
		for i := range s.limit {
			if s.reserve(of("victim", i), now) == nil {
				got++
			}
		}
		if err := s.room(of("victim", s.limit), now.Add(time.Hour)); got > 0 && !errors.Is(err, rotation.ErrPlacesInUse) {
			t.Errorf("beside %d hostile namespaces a namespace whose exchanges are about to end is told %v", n, err)
		}
		for i := range s.limit {
			s.release(of("victim", i))
		}
		return got
	}
	wants := map[int]int{0: 96, 1: 83, 10: 21, 27: 2, 28: 1, 128: 1, 129: 0} // As docs/security.md says.
	for n := range 130 {
		if want, asked := wants[n]; asked {
			if got := victim(n); got != want {
				t.Errorf("beside %d hostile namespaces another one gets %d places, want %d", n, got, want)
			}
		}
		hostile(n)
	}
	now = now.Add(time.Hour)
	if err := s.room(of("victim", 0), now); !errors.Is(err, errFull) || errors.Is(err, rotation.ErrShareUsed) {
		t.Errorf("whoever has nothing is told %v", err)
	}
	if err := s.room(of("hostile-0", s.limit), now); !errors.Is(err, rotation.ErrShareUsed) {
		t.Errorf("whoever has taken all that it may is told %v", err)
	}
}

// Exchanges under way count: all of them may bring a pair that cannot be stored. But they are waited for, and nobody is
// told that pairs cannot be stored before some have waited for long.
func TestOutboxExchangesUnderWayCountAgainstTheShare(t *testing.T) {
	now := time.Now()
	o := open(t, t.TempDir(), Options{Slots: 2, files: roomFor(64), Now: func() time.Time { return now }})
	var begun []rotation.Owner
	for len(begun) < 100 {
		owner := of("hostile", len(begun))
		if err := o.Reserve(owner); err != nil {
			break
		}
		begun = append(begun, owner)
	}
	if len(begun) != 8 {
		t.Errorf("%d exchanges may be under way at once, want 8", len(begun))
	}
	tell := func(when string, want error) {
		t.Helper()
		if err := o.Reserve(of("hostile", 100)); !errors.Is(err, want) {
			t.Errorf("the namespace is told %v %s, want %v", err, when, want)
		}
	}
	tell("while its exchanges are under way", rotation.ErrPlacesInUse)
	now = now.Add(time.Hour)
	tell("while they are still under way", rotation.ErrPlacesInUse)
	for _, owner := range begun {
		keptFor(t, o, owner) // Takes what was reserved.
		o.Release(owner)     // Is none any more.
	}
	tell("while their pairs are about to be stored", rotation.ErrPlacesInUse)
	now = now.Add(patience)
	tell("at the end of its patience", rotation.ErrPlacesInUse)
	now = now.Add(time.Second)
	tell("when they could not be stored", rotation.ErrShareUsed)
	if err := o.Reserve(of("victim", 0)); err != nil {
		t.Errorf("another namespace is refused: %v", err)
	}
	if err := o.Remove(begun[0].UID); err != nil {
		t.Fatal(err)
	}
	tell("when one was stored", nil)
	tell("which has its place already", nil)
}

// What cannot be read takes up a place, and is held against nobody.
func TestOutboxDamagedRecordIsNoNamespaces(t *testing.T) {
	dir, options := t.TempDir(), Options{Slots: 2, files: roomFor(3)}
	o := open(t, dir, options)
	keptFor(t, o, of("a", 0))
	if err := (systemFiles{}).Overwrite(o.path(fileName("a-0")), []byte("x"), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := o.List(); !errors.Is(err, errCorrupt) {
		t.Fatalf("the damage is reported as %v", err)
	}
	for _, life := range []string{"the one that found it", "the next"} {
		_, blamed := o.shares.of["a"]
		if _, counted := o.shares.of[nobody]; blamed || !counted || o.shares.taken != 1 {
			t.Errorf("in %s %d places are taken, by %v", life, o.shares.taken, slices.Collect(maps.Keys(o.shares.of)))
		}
		_ = o.Close()
		o = open(t, dir, options)
	}
}

// What is reserved and not used is given back, in whatever way the exchange ends.
func TestOutboxNothingStaysReserved(t *testing.T) {
	disk := roomFor(1)
	o := open(t, t.TempDir(), Options{Slots: 2, files: disk})
	for _, operation := range []string{"write", "overwrite", "rename"} {
		disk.failAlways(operation, syscall.EROFS)
		if err := o.Reserve(of("a", 0)); !errors.Is(err, syscall.EROFS) {
			t.Fatalf("reserved on a broken disk: %v", err)
		}
	}
	disk.failAlways("", nil)
	for range 3 {
		if err := o.Reserve(of("b", 0)); err != nil {
			t.Fatalf("the only place is still taken: %v", err)
		}
		if err := o.Reserve(of("b", 0)); err != nil {
			t.Fatalf("the resource that has the place is refused: %v", err)
		}
		o.Release(of("b", 0))
		o.Release(of("b", 0))
	}
	for _, operation := range []string{"overwrite", "rename", "syncdir"} {
		if err := o.Reserve(of("b", 0)); err != nil {
			t.Fatalf("the only place is still taken: %v", err)
		}
		disk.failAlways(operation, syscall.EROFS)
		if err := o.Keep(recordOf(of("b", 0))); !errors.Is(err, syscall.EROFS) {
			t.Fatalf("kept on a broken disk: %v", err)
		}
		disk.failAlways("", nil)
		if o.shares.taken != 1 {
			t.Errorf("%d places are taken while a pair is in memory only", o.shares.taken)
		}
		if err := o.Remove("b-0"); err != nil {
			t.Fatal(err)
		}
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
	o.Release(of("c", 0))
	if s := o.shares; s.taken != 0 || len(s.of) != 0 || len(s.reserved) != 0 {
		t.Errorf("%d places are taken by %v for %v", s.taken, slices.Collect(maps.Keys(s.of)), s.reserved)
	}
}

// A reply that could not be given its name is not left under another, in which nobody would find it.
func TestOutboxNoReplyIsLeftInASpare(t *testing.T) {
	for _, operation := range []string{"overwrite", "rename"} {
		disk := roomFor(1)
		o := open(t, t.TempDir(), Options{Slots: 1, files: disk})
		if err := o.Reserve(of("a", 0)); err != nil {
			t.Fatal(err)
		}
		disk.failAlways(operation, syscall.EROFS)
		if err := o.Keep(recordOf(of("a", 0))); !errors.Is(err, syscall.EROFS) {
			t.Fatalf("kept on a broken disk: %v", err)
		}
		entries, err := o.files.ReadDir(o.dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("when %s fails %d files are left beside the holder: %v", operation, len(entries)-1, err)
		}
	}
}

func TestOutboxRoomIsThatOfTheFileSystem(t *testing.T) {
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
