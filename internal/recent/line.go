package recent

import "sync"

// Line is a line of what was added, with the first in front. The zero value is empty. It is safe for concurrent use.
type Line[K comparable] struct {
	mu sync.Mutex
	in map[K]struct{}
	// order has those that were removed as well, until it is their turn.
	order []K
}

// Add adds one that is not in it at the end. Of more than so many the first falls out, and is returned.
func (l *Line[K]) Add(key K, most int) (first K, fell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, in := l.in[key]; in {
		return first, false
	}
	if l.in == nil {
		l.in = map[K]struct{}{}
	}
	l.in[key] = struct{}{}
	if l.order = append(l.order, key); len(l.order) <= most {
		return first, false
	}
	first = l.order[0]
	l.order = l.order[1:]
	_, fell = l.in[first]
	delete(l.in, first)
	return first, fell
}

// Remove removes one.
func (l *Line[K]) Remove(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.in, key)
}
