package fair

import "sync"

// Share is how many places may be had for each that is left free.
const Share = 3

// Key is what a place is counted against.
type Key struct {
	// Namespace is whose the place is.
	Namespace string
	// Host is what is waited for in it; empty when none is.
	Host string
}

// Places are a limited number of places. The zero value has none; make them with NewPlaces. They are safe for
// concurrent use.
type Places struct {
	limit int

	mu    sync.Mutex
	taken int
	// The counts have no entry for what has no place.
	namespaces, hosts map[string]int
	both              map[Key]int
}

// NewPlaces makes that many places, none included.
func NewPlaces(limit int) *Places {
	return &Places{limit: limit, namespaces: map[string]int{}, hosts: map[string]int{}, both: map[Key]int{}}
}

// Fits reports whether a place is free for a key.
func (p *Places) Fits(key Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fits(key)
}

// Take takes one place, if Fits, and reports whether it did.
func (p *Places) Take(key Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fits(key) {
		return false
	}
	p.count(key, 1)
	return true
}

// TakeAnyway takes a place whether there is one or not, for what must not wait. It counts against the key.
func (p *Places) TakeAnyway(key Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(key, 1)
}

// Free gives a place back that was taken with this key.
func (p *Places) Free(key Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(key, -1)
}

func (p *Places) fits(key Key) bool {
	free := p.limit - p.taken
	switch {
	case free <= 0 || p.namespaces[key.Namespace] >= Share*free:
		return false
	case key.Host == "":
		return true
	default:
		return p.both[key] < Share*p.room(key.Host, free)
	}
}

// room is how many more places a host would get by its own share if it alone took any.
func (p *Places) room(host string, free int) int {
	// The k-th of them is taken while host+k-1 < Share*(free-k+1).
	return max(Share*free-p.hosts[host]+Share, 0) / (Share + 1)
}

func (p *Places) count(key Key, n int) {
	p.taken += n
	add(p.namespaces, key.Namespace, n)
	if key.Host != "" {
		add(p.hosts, key.Host, n)
		add(p.both, key, n)
	}
}

func add[K comparable](counts map[K]int, key K, n int) {
	if counts[key] += n; counts[key] <= 0 {
		delete(counts, key)
	}
}
