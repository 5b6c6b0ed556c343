package githubtest

import (
	"net/http"
	"strconv"
	"time"
)

// window counts requests in a fixed time that begins with the first.
type window struct {
	resets time.Time
	used   int
}

// spend counts a request against a limit and returns the window it fell in, and whether it was allowed. A limit of 0 or
// less allows all. The caller holds the lock.
func (s *Server) spend(name string, limit int, length time.Duration) (window, bool) {
	w := s.window(name, length)
	if limit > 0 && w.used >= limit {
		return *w, false
	}
	w.used++
	return *w, true
}

// window is the one of this name that is under way. The caller holds the lock.
func (s *Server) window(name string, length time.Duration) *window {
	now := s.now()
	w := s.windows[name]
	if w == nil || !now.Before(w.resets) {
		w = &window{resets: now.Add(length)}
		s.windows[name] = w
	}
	return w
}

// rateHeaders tells the client how it stands.
func (p *reply) rateHeaders(limit int, w window, resource string) {
	p.setHeader("X-RateLimit-Limit", strconv.Itoa(limit))
	p.setHeader("X-RateLimit-Remaining", strconv.Itoa(max(0, limit-w.used)))
	p.setHeader("X-RateLimit-Used", strconv.Itoa(w.used))
	p.setHeader("X-RateLimit-Reset", strconv.FormatInt(w.resets.Unix(), 10))
	p.setHeader("X-RateLimit-Resource", resource)
}

// tokenResource is how the x-ratelimit headers call the token endpoint.
const tokenResource = "oauth_token"

// overTokenLimit is the refusal over an App's rate limit. The caller holds the lock.
func (s *Server) overTokenLimit(limit RateLimit, w window) reply {
	refused := jsonReply(limit.Status, map[string]string{
		"message":           "API rate limit exceeded",
		"documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
	})
	if !limit.NoRetryAfter {
		wait := (w.resets.Sub(s.now()) + time.Second - 1) / time.Second
		refused.setHeader("Retry-After", strconv.FormatInt(int64(wait), 10))
	}
	if !limit.NoReset {
		refused.rateHeaders(limit.Limit, w, tokenResource)
	}
	return refused
}

// tooMany is the REST API's refusal over a limit.
func tooMany(limit int, w window, resource string) reply {
	p := restError(http.StatusForbidden, "API rate limit exceeded")
	p.rateHeaders(limit, w, resource)
	return p
}
