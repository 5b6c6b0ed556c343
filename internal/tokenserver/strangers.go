package tokenserver

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// strangers bound how often the API server is asked about tokens that are none, by the address from which they come: anybody can make tokens
// up. Who shows one that is good has no bound here, and one who was let in a moment ago is not asked about.
type strangers struct {
	mu               sync.Mutex
	current, earlier map[string]*rate.Limiter
}

const (
	// badPerSecond and badAtOnce are how many.
	badPerSecond = 5
	badAtOnce    = 50
	// maxStrangers is how many addresses are told apart.
	maxStrangers = 4096
)

func newStrangers() *strangers { return &strangers{current: map[string]*rate.Limiter{}} }

// mayAsk reports whether the API server is asked about a token from an address.
func (s *strangers) mayAsk(client string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket := s.find(client)
	return bucket == nil || bucket.TokensAt(time.Now()) >= 1
}

// failed counts one that was none.
func (s *strangers) failed(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket := s.find(client)
	if bucket == nil {
		bucket = rate.NewLimiter(badPerSecond, badAtOnce)
	}
	if len(s.current) >= maxStrangers {
		s.current, s.earlier = map[string]*rate.Limiter{}, s.current
	}
	s.current[client] = bucket
	bucket.AllowN(time.Now(), 1)
}

func (s *strangers) find(client string) *rate.Limiter {
	if bucket := s.current[client]; bucket != nil {
		return bucket
	}
	return s.earlier[client]
}

// clientOf is the address from which a request comes; of IPv6 the network, which is what one client has. What headers say of it is whatever
// somebody likes.
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
