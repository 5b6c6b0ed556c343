package recent

import "sync"

// Least is how many a Set remembers at least.
const Least = 4096

// Set is a set of what was added lately. The zero value is empty. It is safe for concurrent use.
type Set[K comparable] struct {
	mu             sync.Mutex
	younger, older map[K]struct{}
}

// Add adds one.
func (s *Set[K]) Add(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.younger == nil || len(s.younger) >= Least {
		s.younger, s.older = map[K]struct{}{}, s.younger
	}
	s.younger[key] = struct{}{}
}

// Has reports whether one was added and is still remembered.
func (s *Set[K]) Has(key K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, isYoung := s.younger[key]
	_, isOld := s.older[key]
	return isYoung || isOld
}
