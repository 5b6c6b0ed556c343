package controllers

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// meter counts what an operator does: the requests that it makes of the API server, and how often it asks
// its clock for the time, which each reconcile does. It is the operator's clock for that.
type meter struct {
	mu       sync.Mutex
	requests []string
	looks    int
	ahead    time.Duration
}

var _ rotation.Clock = &meter{}

var trueClock = rotation.SystemClock()

// Now implements rotation.Clock.
func (m *meter) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	return trueClock.Now().Add(m.ahead)
}

// leap lets time pass at once. What sleeps goes on sleeping.
func (m *meter) leap(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
}

// Monotonic implements rotation.Clock.
func (m *meter) Monotonic() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return trueClock.Monotonic() + m.ahead
}

// WithTimeout implements rotation.Clock.
func (m *meter) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return trueClock.WithTimeout(ctx, d)
}

// Sleep implements rotation.Clock.
func (m *meter) Sleep(ctx context.Context, d time.Duration) error { return trueClock.Sleep(ctx, d) }

// wrap puts the meter between the operator and the API server. Watches are not counted.
func (m *meter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		// A review asks what one may do; it is a POST that writes nothing.
		if request.URL.Query().Get("watch") == "" && !strings.HasSuffix(request.URL.Path, "/selfsubjectaccessreviews") {
			m.mu.Lock()
			m.requests = append(m.requests, request.Method+" "+request.URL.Path)
			m.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// reading is what a meter showed at one moment.
type reading struct{ requests, looks int }

func (m *meter) read() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return reading{len(m.requests), m.looks}
}

// since are the writes and reads since a reading, and how often the clock was looked at.
func (m *meter) since(then reading) (writes, reads []string, looks int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, request := range m.requests[then.requests:] {
		if strings.HasPrefix(request, http.MethodGet) {
			reads = append(reads, request)
		} else {
			writes = append(writes, request)
		}
	}
	return writes, reads, m.looks - then.looks
}

// quietTime is how long quiet watches. A hot loop shows in far less.
const quietTime = 1500 * time.Millisecond

// quiet watches a world for a while in which nothing is to happen: no write, no exchange, hardly a look. On a
// loaded machine what happened before may still be on its way, so there are some whiles to choose from; a loop
// leaves none quiet.
func (w *world) quiet() {
	w.t.Helper()
	presented := len(w.gh.Presentations())
	for left := 3; ; left-- {
		w.settle()
		then := w.meter.read()
		time.Sleep(quietTime)
		writes, reads, looks := w.meter.since(then)
		if now := len(w.gh.Presentations()); now != presented {
			w.t.Errorf("nothing was due, but %d tokens were presented", now-presented)
		}
		if len(writes) == 0 && len(reads) <= 2 && looks <= 30 {
			return
		}
		if left == 0 {
			w.t.Errorf("nothing was due, but in %s the operator looked %d times, wrote %v and read %v", quietTime, looks, writes, reads)
			return
		}
	}
}

// settle waits until the operator has asked nothing of the API server for a moment: what follows a change comes in
// several steps (a write, its event, the status, an event record).
func (w *world) settle() {
	w.t.Helper()
	var before reading
	since := time.Now()
	w.eventually("the operator to come to rest", func() (bool, string) {
		writes, reads, _ := w.meter.since(before)
		if len(writes)+len(reads) > 0 {
			before, since = w.meter.read(), time.Now()
		}
		return time.Since(since) > 300*time.Millisecond, strings.Join(append(writes, reads...), ", ")
	})
}
