package loginpage

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bound how often the page is asked, by one client, for one login, and in all, since each request costs some at the API server. They are
// no protection of what is secret: nobody guesses 32 bytes.
type limits struct {
	mu      sync.Mutex
	clients buckets
	logins  buckets
	inAll   *rate.Limiter
}

const (
	// burst is for how many seconds' worth may come at once.
	burst = 12
	// perLogin is how many requests a second are answered for one login, or one link.
	perLogin rate.Limit = 5
	// maxBuckets is how many clients, or logins, are told apart.
	maxBuckets = 4096
)

func newLimits(perClient, inAll rate.Limit) *limits {
	return &limits{
		clients: buckets{limit: perClient}, logins: buckets{limit: perLogin}, inAll: rate.NewLimiter(inAll, int(burst*inAll)),
	}
}

// allow reports whether a request is answered. subject is the login that it is about; empty when it is about none.
func (l *limits) allow(r *http.Request, subject string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clients.allow(clientOf(r), now) && (subject == "" || l.logins.allow(subject, now)) && l.inAll.AllowN(now, 1)
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

// subjectOf is the login that a request is about, as it says itself: the link that it opens, or the login of its browser. It holds a
// secret of whoever may open that, so that nobody else uses up what is answered of it.
func subjectOf(r *http.Request, found route, rest string) string {
	if found.step != "login" {
		if s, ok := sessionOf(r); ok {
			return s.requestID()
		}
		return ""
	}
	name, ok := nameOf(rest)
	if !ok {
		return ""
	}
	text, _ := single(r.URL.Query(), "ticket")
	if !isSecret(text) { // The form carries it in its body.
		text = cookieOf(r, cookieVisit)
	}
	if !isSecret(text) {
		return "" // Nothing is read for that.
	}
	return name.key().String() + " " + ticketID(hide(text))
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
