package callers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"sync"
	"time"
)

const (
	// AllowedFor is how long a yes of the API server counts, and refusedFor a no.
	AllowedFor = 10 * time.Second
	refusedFor = time.Second
	// maxVerdicts is how many of each kind are remembered.
	maxVerdicts = 8192
)

// key is by which something is remembered: a keyed hash.
type key [sha256.Size]byte

// verdict is what was said, and for how long that counts.
type verdict[V any] struct {
	said  V
	yes   bool
	until time.Time
}

// verdicts are what was said, by keyed hashes.
type verdicts[V any] struct {
	secret []byte

	mu    sync.Mutex
	known map[key]verdict[V]
}

func newVerdicts[V any]() *verdicts[V] {
	v := &verdicts[V]{secret: make([]byte, sha256.Size), known: map[key]verdict[V]{}}
	_, _ = rand.Read(v.secret) // It never fails.
	return v
}

func (v *verdicts[V]) get(of key) (said V, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, has := v.known[of]
	if !has || !time.Now().Before(found.until) {
		return said, false
	}
	return found.said, true
}

// put remembers what was said when somebody asked. The time counts from then: whatever has changed since, the API server may not have known.
func (v *verdicts[V]) put(of key, said V, yes bool, asked, expiry time.Time) {
	until := asked.Add(refusedFor)
	if yes {
		if until = asked.Add(AllowedFor); until.After(expiry) {
			until = expiry // Zero when it is not known: then it is not remembered.
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known[of] = verdict[V]{said, yes, until}
	if len(v.known) > maxVerdicts {
		v.makeRoom()
	}
}

// makeRoom forgets what does not count any more, then what is refused, which anybody may have asked for, and then some of the rest.
func (v *verdicts[V]) makeRoom() {
	now := time.Now()
	maps.DeleteFunc(v.known, func(_ key, old verdict[V]) bool { return !now.Before(old.until) })
	if len(v.known) > maxVerdicts*3/4 {
		maps.DeleteFunc(v.known, func(_ key, old verdict[V]) bool { return !old.yes })
	}
	for of := range v.known {
		if len(v.known) <= maxVerdicts*3/4 {
			return
		}
		delete(v.known, of)
	}
}

func (v *verdicts[V]) hash(parts ...string) (sum key) {
	mac := hmac.New(sha256.New, v.secret)
	for _, part := range parts {
		_, _ = mac.Write(append([]byte(part), 0)) // None but the last holds a zero byte: HTTP does not let it through.
	}
	mac.Sum(sum[:0])
	return sum
}
