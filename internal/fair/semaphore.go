package fair

import (
	"context"
	"slices"
	"sync"
)

// Semaphore has those wait for one of a limited number of Places who find none. Namespaces take turns, and those of one
// namespace are served in their order. Make it with NewSemaphore; it is safe for concurrent use.
type Semaphore struct {
	places *Places

	mu sync.Mutex
	// waiting are those who wait, by namespace, the first first. turns are the namespaces that have any, in the order of
	// their turns.
	waiting map[string][]chan struct{}
	turns   []string
}

// NewSemaphore makes one with that many places.
func NewSemaphore(limit int) *Semaphore {
	return &Semaphore{places: NewPlaces(limit), waiting: map[string][]chan struct{}{}}
}

// Acquire takes a place for a namespace, when it is its turn. It returns the context's error when that ends before.
func (s *Semaphore) Acquire(ctx context.Context, namespace string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	turn, waits := s.join(namespace)
	if !waits {
		return nil
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		if s.leave(namespace, turn) {
			s.Release(namespace) // Its turn has just come.
		}
		return ctx.Err()
	}
}

// Release gives a place back.
func (s *Semaphore) Release(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places.Free(Key{Namespace: namespace})
	s.grant()
}

// join takes a place, or a place in the line: then turn is closed when it is its turn.
func (s *Semaphore) join(namespace string) (turn chan struct{}, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting[namespace]) == 0 {
		if s.places.Take(Key{Namespace: namespace}) {
			return nil, false
		}
		s.turns = append(s.turns, namespace)
	}
	turn = make(chan struct{})
	s.waiting[namespace] = append(s.waiting[namespace], turn)
	return turn, true
}

// leave takes one out of the line who waits no longer, and reports whether its turn has come already.
func (s *Semaphore) leave(namespace string, turn chan struct{}) (came bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.waiting[namespace], turn)
	if at < 0 {
		return true
	}
	s.remove(namespace, at)
	return false
}

// grant gives what places are free to those whose turn it is.
func (s *Semaphore) grant() {
	for {
		at := slices.IndexFunc(s.turns, func(namespace string) bool { return s.places.Take(Key{Namespace: namespace}) })
		if at < 0 {
			return
		}
		namespace := s.turns[at]
		close(s.waiting[namespace][0])
		s.turns = append(slices.Delete(s.turns, at, at+1), namespace)
		s.remove(namespace, 0)
	}
}

func (s *Semaphore) remove(namespace string, at int) {
	s.waiting[namespace] = slices.Delete(s.waiting[namespace], at, at+1)
	if len(s.waiting[namespace]) == 0 {
		delete(s.waiting, namespace)
		s.turns = slices.DeleteFunc(s.turns, func(other string) bool { return other == namespace })
	}
}
