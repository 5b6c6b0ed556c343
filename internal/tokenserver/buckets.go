package tokenserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxBuckets is how many are told apart, of each generation.
const maxBuckets = 4096

// buckets bound how often something is done, for each by a key. They are safe for concurrent use.
type buckets struct {
	perSecond rate.Limit
	atOnce    int

	mu              sync.Mutex
	current, former map[string]*rate.Limiter
}

func newBuckets(perSecond rate.Limit, atOnce int) *buckets {
	return &buckets{perSecond: perSecond, atOnce: atOnce, current: map[string]*rate.Limiter{}}
}

// has reports whether something is left.
func (b *buckets) has(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.find(key)
	return bucket == nil || bucket.TokensAt(time.Now()) >= 1
}

// take takes one, and reports whether there was one.
func (b *buckets) take(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.find(key)
	if bucket == nil {
		bucket = rate.NewLimiter(b.perSecond, b.atOnce)
	}
	if len(b.current) >= maxBuckets {
		b.current, b.former = map[string]*rate.Limiter{}, b.current
	}
	b.current[key] = bucket
	return bucket.AllowN(time.Now(), 1)
}

func (b *buckets) find(key string) *rate.Limiter {
	if bucket := b.current[key]; bucket != nil {
		return bucket
	}
	return b.former[key]
}
