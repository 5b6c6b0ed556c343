package reading

import (
	"maps"
	"sync"
	"time"
)

// maxKept is how many values of a kind are kept.
const maxKept = 4096

// kept are values that are read anew when they were asked for keptFor ago, by one for all who ask meanwhile. What has expired is dropped. The zero
// value is empty. It is safe for concurrent use.
type kept[K comparable, V any] struct {
	mu      sync.Mutex
	values  map[K]dated[V]
	reading map[K]*reading[V]
	// swept is when what had expired was last dropped.
	swept time.Time
}

type dated[V any] struct {
	value V
	until time.Time
}

// reading is a value that is being read.
type reading[V any] struct {
	done  chan struct{}
	value V
	err   error
}

func (k *kept[K, V]) get(key K, read func() (V, error)) (V, error) {
	value, r, mine := k.find(key)
	switch {
	case r == nil:
		return value, nil
	case !mine:
		<-r.done // A reader bounds its time.
		return r.value, r.err
	}
	began := time.Now()
	r.err = errPanicked // Unless read returns.
	defer func() { k.put(key, r, began.Add(keptFor)) }()
	r.value, r.err = read()
	return r.value, r.err
}

// find is what is kept, or who reads it.
func (k *kept[K, V]) find(key K) (value V, r *reading[V], mine bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found, has := k.values[key]; has && time.Now().Before(found.until) {
		return found.value, nil, false
	}
	if r := k.reading[key]; r != nil {
		return value, r, false
	}
	if k.reading == nil {
		k.values, k.reading = map[K]dated[V]{}, map[K]*reading[V]{}
	}
	r = &reading[V]{done: make(chan struct{})}
	k.reading[key] = r
	return value, r, true
}

func (k *kept[K, V]) put(key K, r *reading[V], until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.reading, key)
	close(r.done)
	if r.err != nil {
		return
	}
	if now := time.Now(); now.Sub(k.swept) >= keptFor {
		maps.DeleteFunc(k.values, func(_ K, old dated[V]) bool { return !now.Before(old.until) })
		k.swept = now
	}
	if len(k.values) >= maxKept {
		clear(k.values)
	}
	k.values[key] = dated[V]{r.value, until}
}
