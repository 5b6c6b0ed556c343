package reviewed

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"net/http"
	"sync"
	"time"
)

const (
	// allowedFor and refusedFor are how long the API server's answer counts: who may no longer ask, or may by now, is asked
	// about again.
	allowedFor = time.Minute
	refusedFor = 10 * time.Second
	// maxVerdicts is how many are remembered. Anybody can make up tokens.
	maxVerdicts = 64
)

// question is what the API server is asked.
type question struct{ token, verb, path string }

// verdicts are what the API server said, by keyed hashes: no token is kept.
type verdicts struct {
	now func() time.Time
	key []byte

	mu    sync.Mutex
	known map[[sha256.Size]byte]verdict
}

type verdict struct {
	status int
	until  time.Time
}

func newVerdicts(now func() time.Time) *verdicts {
	v := &verdicts{now: now, key: make([]byte, sha256.Size), known: map[[sha256.Size]byte]verdict{}}
	_, _ = rand.Read(v.key) // It never fails.
	return v
}

func (v *verdicts) get(asked question) (status int, known bool) {
	hash := v.hash(asked)
	v.mu.Lock()
	defer v.mu.Unlock()
	found, known := v.known[hash]
	return found.status, known && v.now().Before(found.until)
}

// put remembers an answer. Where there are too many those that refuse go first: strangers do not make the API server be asked
// about scrapers again.
func (v *verdicts) put(asked question, status int) {
	found := verdict{status: status, until: v.now().Add(refusedFor)}
	if status == http.StatusOK {
		found.until = v.now().Add(allowedFor)
	}
	hash := v.hash(asked)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= maxVerdicts {
		maps.DeleteFunc(v.known, func(_ [sha256.Size]byte, old verdict) bool {
			return old.status != http.StatusOK || !v.now().Before(old.until)
		})
	}
	if len(v.known) >= maxVerdicts {
		clear(v.known)
	}
	v.known[hash] = found
}

func (v *verdicts) hash(asked question) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, v.key)
	for _, part := range []string{asked.verb, asked.path, asked.token} {
		_, _ = mac.Write(append([]byte(part), 0)) // None of them holds a zero byte: HTTP does not let it through.
	}
	mac.Sum(sum[:0])
	return sum
}
