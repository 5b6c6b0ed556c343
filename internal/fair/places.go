package fair

import "sync"

// Share is how many places a key may have for each that is left free.
const Share = 3

// Places are a limited number of places. The zero value has none; make them with NewPlaces. They are safe for
// concurrent use.
type Places[K comparable] struct {
	limit int

	mu    sync.Mutex
	taken int
	of    map[K]int
}

// NewPlaces makes that many places, none included.
func NewPlaces[K comparable](limit int) *Places[K] {
	return &Places[K]{limit: limit, of: map[K]int{}}
}

// Fits reports whether a place is free for each of the keys, say a namespace and a host. A key is a name in a space of
// its own: two kinds of keys must not look alike.
func (p *Places[K]) Fits(keys ...K) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fits(keys)
}

// Take takes one place in the name of all keys, if Fits, and reports whether it did.
func (p *Places[K]) Take(keys ...K) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fits(keys) {
		return false
	}
	p.take(keys)
	return true
}

// TakeAnyway takes a place whether there is one or not, for what must not wait. It counts against the keys.
func (p *Places[K]) TakeAnyway(keys ...K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(keys)
}

// Free gives a place back that was taken in the name of these keys.
func (p *Places[K]) Free(keys ...K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	for _, key := range keys {
		if p.of[key]--; p.of[key] <= 0 {
			delete(p.of, key)
		}
	}
}

func (p *Places[K]) fits(keys []K) bool {
	free := p.limit - p.taken
	if free <= 0 {
		return false
	}
	for _, key := range keys {
		if p.of[key] >= Share*free {
			return false
		}
	}
	return true
}

func (p *Places[K]) take(keys []K) {
	p.taken++
	for _, key := range keys {
		p.of[key]++
	}
}
