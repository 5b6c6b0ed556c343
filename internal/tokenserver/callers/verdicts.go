package callers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// allowedFor and refusedFor are how long the API server's answer counts.
	allowedFor = 10 * time.Second
	refusedFor = time.Second
	// maxVerdicts is how many are remembered.
	maxVerdicts = 8192
)

// verdict is what was said of a token and a resource.
type verdict struct {
	caller  Caller
	refusal Refusal
	until   time.Time
}

// verdicts are by keyed hashes.
type verdicts struct {
	key []byte

	mu    sync.Mutex
	known map[[sha256.Size]byte]verdict
}

func newVerdicts() *verdicts {
	v := &verdicts{key: make([]byte, sha256.Size), known: map[[sha256.Size]byte]verdict{}}
	_, _ = rand.Read(v.key) // It never fails.
	return v
}

func (v *verdicts) get(token string, of types.NamespacedName) (found verdict, known bool) {
	hash := v.hash(token, of)
	v.mu.Lock()
	defer v.mu.Unlock()
	found, known = v.known[hash]
	return found, known && time.Now().Before(found.until)
}

// put remembers what was said when somebody asked. The time counts from then: whatever has changed since, the API server may not have known.
func (v *verdicts) put(token string, of types.NamespacedName, said verdict, asked, expiry time.Time) {
	if said.refusal != "" {
		said.until = asked.Add(refusedFor)
	} else if said.until = asked.Add(allowedFor); said.until.After(expiry) {
		said.until = expiry // Zero when it is not known: then it is not remembered.
	}
	hash := v.hash(token, of)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known[hash] = said
	if len(v.known) > maxVerdicts {
		v.makeRoom()
	}
}

// makeRoom forgets what does not count any more, then what is refused, which anybody may have asked for, and then some of the rest.
func (v *verdicts) makeRoom() {
	now := time.Now()
	maps.DeleteFunc(v.known, func(_ [sha256.Size]byte, old verdict) bool { return !now.Before(old.until) })
	if len(v.known) > maxVerdicts*3/4 {
		maps.DeleteFunc(v.known, func(_ [sha256.Size]byte, old verdict) bool { return old.refusal != "" })
	}
	for hash := range v.known {
		if len(v.known) <= maxVerdicts*3/4 {
			return
		}
		delete(v.known, hash)
	}
}

func (v *verdicts) hash(token string, of types.NamespacedName) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, v.key)
	for _, part := range []string{verb, subresource, of.Namespace, of.Name, token} {
		_, _ = mac.Write(append([]byte(part), 0)) // None of them holds a zero byte: HTTP does not let it through.
	}
	mac.Sum(sum[:0])
	return sum
}
