package limits

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
)

// Limits bound how often the page is asked, by one client, for one login, and in all, since each request costs some at the API server. They are
// no protection of what is secret: nobody guesses 32 bytes.
type Limits struct {
	mu      sync.Mutex
	clients buckets
	logins  buckets
	lists   buckets
	// listing are the accounts whose tokens are being listed.
	listing map[string]bool
	inAll   *rate.Limiter
}

const (
	// burst is for how many seconds' worth may come at once.
	burst = 12
	// perLogin is how many requests a second are answered for one login, or one link.
	perLogin rate.Limit = 5
	// perAccount is how many lists of its tokens a second are read for one account: each may be as large as tenants can make it.
	perAccount rate.Limit = 1
	// maxBuckets is how many clients, or logins, are told apart.
	maxBuckets = 4096
)

// New makes Limits of so many requests a second, of one client and in all.
func New(perClient, inAll float64) *Limits {
	return &Limits{
		clients: buckets{limit: rate.Limit(perClient)}, logins: buckets{limit: perLogin}, lists: buckets{limit: perAccount},
		inAll: rate.NewLimiter(rate.Limit(inAll), int(burst*inAll)),
	}
}

// Allow reports whether a request is answered. subject is the login that it is about; empty when it is about none.
func (l *Limits) Allow(r *http.Request, subject string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clients.allow(endpoint.ClientOf(r), now) && (subject == "" || l.logins.allow(subject, now)) && l.inAll.AllowN(now, 1)
}

// BeginList reports whether the tokens of an account are listed once more: one list at a time, and not too often. end says that it is done.
func (l *Limits) BeginList(account string, now time.Time) (end func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listing[account] || !l.lists.allow(account, now) {
		return nil, false
	}
	if l.listing == nil {
		l.listing = map[string]bool{}
	}
	l.listing[account] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.listing, account)
	}, true
}

// buckets are a bucket for each key. When there are too many, those that were not used lately are forgotten, which gives each of them a
// full bucket: the limit in all holds then.
type buckets struct {
	limit            rate.Limit
	current, earlier map[string]*rate.Limiter
}

func (b *buckets) allow(key string, now time.Time) bool {
	if b.current == nil || len(b.current) >= maxBuckets {
		b.current, b.earlier = map[string]*rate.Limiter{}, b.current
	}
	bucket := b.current[key]
	if bucket == nil {
		if bucket = b.earlier[key]; bucket == nil {
			bucket = rate.NewLimiter(b.limit, int(burst*b.limit))
		}
		b.current[key] = bucket
	}
	return bucket.AllowN(now, 1)
}
