package memory

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestMemoryForgettingAResourceIsOneCall(t *testing.T) {
	store := NewStore()
	counts, words := NewSlot[int](store), NewSlot[string](store)
	name := types.NamespacedName{Namespace: "team-a", Name: "octocat"}
	store.Learn("u1", name)
	counts.With("u1", func(n *int) { *n += 2 })
	words.With("u1", func(s *string) { *s = "due" })
	counts.With("u2", func(n *int) { *n++ })

	store.Forget("u1")
	if counts.Peek("u1", func(*int) {}) || words.Peek("u1", func(*string) {}) || len(store.UIDs(name)) != 0 {
		t.Error("something is still remembered of a resource that was forgotten")
	}
	if !counts.Peek("u2", func(n *int) {
		if *n != 1 {
			t.Errorf("another resource's note is %d, want 1", *n)
		}
	}) {
		t.Error("another resource was forgotten too")
	}
}

func TestMemoryPeekRemembersNothing(t *testing.T) {
	store := NewStore()
	slot := NewSlot[int](store)
	if slot.Peek("u", func(*int) {}) || store.Len() != 0 {
		t.Error("to look at a note has made one")
	}
}

func TestMemoryDropKeepsTheNotesOfOthers(t *testing.T) {
	store := NewStore()
	a, b := NewSlot[int](store), NewSlot[int](store)
	b.With("u", func(n *int) { *n = 7 })
	a.With("u", func(n *int) { *n = 3 })
	a.Drop("u")
	if a.Peek("u", func(*int) {}) || !b.Peek("u", func(*int) {}) {
		t.Error("one slot's note was to go, and the other's to stay")
	}
	b.Drop("u")
	if store.Len() != 0 {
		t.Error("a resource of which nothing is remembered takes room")
	}
}

func TestMemoryResourceThatIsMadeAnewUnderItsNameIsAnother(t *testing.T) {
	store := NewStore()
	name := types.NamespacedName{Namespace: "team-a", Name: "octocat"}
	store.Learn("u1", name)
	store.Learn("u1", name)
	store.Learn("u2", name)
	if got := store.UIDs(name); !slices.Equal(got, []types.UID{"u1", "u2"}) {
		t.Errorf("under the name were seen %v", got)
	}
	store.Forget("u1")
	if got := store.UIDs(name); !slices.Equal(got, []types.UID{"u2"}) {
		t.Errorf("after one was forgotten: %v", got)
	}
	if got, known := store.Name("u2"); !known || got != name {
		t.Errorf("the name of u2 is %v, %t", got, known)
	}
	if _, known := store.Name("u1"); known {
		t.Error("the name of a forgotten resource is known")
	}
}

// A deletion looks up its resource by name. That must not cost a look at all others.
func BenchmarkForgetByName(b *testing.B) {
	store := NewStore()
	slot := NewSlot[int](store)
	names := make([]types.NamespacedName, 100_000)
	uids := make([]types.UID, len(names))
	for i := range names {
		names[i] = types.NamespacedName{Namespace: "team-a", Name: string(rune('a'+i%26)) + types.NamespacedName{Name: string(rune(i))}.String()}
		uids[i] = types.UID(names[i].Name)
	}
	for i := 0; b.Loop(); i = (i + 1) % len(names) {
		store.Learn(uids[i], names[i])
		slot.With(uids[i], func(n *int) { *n = i })
		for _, uid := range store.UIDs(names[i]) {
			store.Forget(uid)
		}
	}
}

func TestMemoryDropIfKeepsANoteThatIsNotEmpty(t *testing.T) {
	store := NewStore()
	slot := NewSlot[int](store)
	empty := func(n *int) bool { return *n == 0 }
	slot.DropIf("u", empty)
	slot.With("u", func(n *int) { *n = 1 })
	slot.DropIf("u", empty)
	if !slot.Peek("u", func(*int) {}) {
		t.Error("a note was dropped that is not empty")
	}
	slot.With("u", func(n *int) { *n = 0 })
	slot.DropIf("u", empty)
	if store.Len() != 0 {
		t.Error("an empty note takes room")
	}
}
