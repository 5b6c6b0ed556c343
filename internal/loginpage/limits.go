package loginpage

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bound how often the page is asked, by one client, for one resource, and in all, since each request costs some at the API server. They are
// no protection of what is secret: nobody guesses 32 bytes.
type limits struct {
	mu        sync.Mutex
	clients   buckets
	resources buckets
	inAll     *rate.Limiter
}

const (
	// burst is for how many seconds' worth may come at once.
	burst = 12
	// perResource is how many requests a second are answered for one resource. Several people may wait for the same.
	perResource rate.Limit = 5
	// maxBuckets is how many clients, or resources, are told apart.
	maxBuckets = 4096
)

func newLimits(perClient, inAll rate.Limit) *limits {
	return &limits{
		clients: buckets{limit: perClient}, resources: buckets{limit: perResource}, inAll: rate.NewLimiter(inAll, int(burst*inAll)),
	}
}

// allow reports whether a request is answered. subject is the resource that it is about; empty when it is about none.
func (l *limits) allow(r *http.Request, subject string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clients.allow(clientOf(r), now) && (subject == "" || l.resources.allow(subject, now)) && l.inAll.AllowN(now, 1)
}

// clientOf is the address from which a request comes; of IPv6 the network, which is what one client has. What headers say of it is
// whatever somebody likes.
func clientOf(r *http.Request) string {
	text, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}

// subjectOf is the resource that a request is about, as it says itself.
func subjectOf(r *http.Request, found route, rest string) string {
	if found.step == "login" {
		if name, ok := nameOf(rest); ok {
			return name.key().String()
		}
		return ""
	}
	if s, ok := sessionOf(r); ok {
		return s.name.key().String()
	}
	return ""
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
