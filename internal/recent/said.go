package recent

import "sync"

// mostSaid is of about how many keys is remembered what was said. What is forgotten is said anew.
const mostSaid = 1000

// Said is what was said last of each key. The zero value is empty. It is safe for concurrent use.
type Said[K comparable] struct {
	mu   sync.Mutex
	said map[K]string
}

// Again notes what is said of a key, and reports whether the same was said last.
func (s *Said[K]) Again(of K, said string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said[of] == said {
		return true
	}
	if s.said == nil || len(s.said) >= mostSaid {
		s.said = map[K]string{}
	}
	s.said[of] = said
	return false
}

// Forget drops what was said of a key.
func (s *Said[K]) Forget(of K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.said, of)
}
