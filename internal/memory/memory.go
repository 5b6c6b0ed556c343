package memory

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Store is all that is remembered. Make it with NewStore; it is safe for concurrent use.
type Store struct {
	mu    sync.Mutex
	slots int
	byUID map[types.UID]*entry
	// byName are the UIDs that have been seen under a name: almost always one.
	byName map[types.NamespacedName][]types.UID
}

// entry is what is remembered of one resource: its name, and the notes that there are, which are few.
type entry struct {
	name  types.NamespacedName
	notes []noted
}

// noted is a note of a slot.
type noted struct {
	slot int
	note any
}

// at is where the note of a slot stands; negative when there is none.
func (e *entry) at(slot int) int {
	return slices.IndexFunc(e.notes, func(n noted) bool { return n.slot == slot })
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{byUID: map[types.UID]*entry{}, byName: map[types.NamespacedName][]types.UID{}}
}

// Learn remembers the name of a resource.
func (s *Store) Learn(uid types.UID, name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(uid)
	if e.name == name {
		return
	}
	s.unname(uid, e)
	e.name = name
	s.byName[name] = append(s.byName[name], uid)
}

// Name is the name that belongs to a UID; known is false when the store has not learnt it.
func (s *Store) Name(uid types.UID) (name types.NamespacedName, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byUID[uid]
	if e == nil || e.name == (types.NamespacedName{}) {
		return types.NamespacedName{}, false
	}
	return e.name, true
}

// UIDs are those that were seen under a name.
func (s *Store) UIDs(name types.NamespacedName) []types.UID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byName[name])
}

// Forget drops everything that is remembered of a resource.
func (s *Store) Forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byUID[uid]; e != nil {
		s.unname(uid, e)
		delete(s.byUID, uid)
	}
}

// Len is how many resources something is remembered of.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byUID)
}

func (s *Store) of(uid types.UID) *entry {
	e := s.byUID[uid]
	if e == nil {
		e = &entry{}
		s.byUID[uid] = e
	}
	return e
}

func (s *Store) unname(uid types.UID, e *entry) {
	left := slices.DeleteFunc(s.byName[e.name], func(other types.UID) bool { return other == uid })
	if len(left) == 0 {
		delete(s.byName, e.name)
	} else {
		s.byName[e.name] = left
	}
}

// Slot is one kind of note in a Store: at most one T for each resource.
type Slot[T any] struct {
	store *Store
	index int
}

// NewSlot adds a kind of note to a store. It is called while the operator is set up.
func NewSlot[T any](s *Store) Slot[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots++
	return Slot[T]{store: s, index: s.slots - 1}
}

// With runs a function on the note of a resource, under the store's lock; the note is made when there is
// none. The function must neither block nor use the store.
func (s Slot[T]) With(uid types.UID, use func(*T)) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	note := s.note(uid)
	if note == nil {
		note = new(T)
		e := s.store.of(uid)
		e.notes = append(slices.Clip(e.notes), noted{s.index, note}) // Most have as many as they will ever have.
	}
	use(note)
}

// Peek runs a function on the note of a resource if there is one, and reports whether there is. It remembers
// nothing anew.
func (s Slot[T]) Peek(uid types.UID, use func(*T)) bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	note := s.note(uid)
	if note == nil {
		return false
	}
	use(note)
	return true
}

// Drop forgets the note of a resource, and the resource when nothing else is remembered of it.
func (s Slot[T]) Drop(uid types.UID) { s.DropIf(uid, func(*T) bool { return true }) }

// DropIf is Drop for a note that a function finds empty. Nobody can write to the note between the two. The
// function must neither block nor use the store.
func (s Slot[T]) DropIf(uid types.UID, empty func(*T) bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if note := s.note(uid); note == nil || !empty(note) {
		return
	}
	e := s.store.byUID[uid]
	at := e.at(s.index)
	e.notes = slices.Delete(e.notes, at, at+1)
	if e.name == (types.NamespacedName{}) && len(e.notes) == 0 {
		delete(s.store.byUID, uid)
	}
}

func (s Slot[T]) note(uid types.UID) *T {
	e := s.store.byUID[uid]
	if e == nil {
		return nil
	}
	at := e.at(s.index)
	if at < 0 {
		return nil
	}
	note, _ := e.notes[at].note.(*T)
	return note
}
