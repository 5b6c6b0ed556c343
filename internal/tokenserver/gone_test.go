package tokenserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/callers"
)

// hangUp asks, and goes a while later.
func (w *world) hangUp(after time.Duration) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	time.AfterFunc(after, cancel)
	w.server.ServeHTTP(httptest.NewRecorder(), w.request("?wait=300&after="+first).WithContext(ctx))
}

// Whoever hangs up while the API server is asked about them has cost it as much as whoever stays, and is no sign that it does not answer.
func TestTokenServerBoundsWhatThoseCostWhoHangUp(t *testing.T) {
	for _, refusal := range []callers.Refusal{callers.NotAccepted, callers.Forbidden} {
		t.Run(string(refusal), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.change(func(w *world) { w.refusal, w.askTime, w.accessTime = refusal, time.Millisecond, time.Millisecond })
				within := 100 * time.Microsecond
				if refusal == callers.Forbidden {
					within += time.Millisecond
				}
				for range badAtOnce {
					w.hangUp(within)
				}
				if w.count("client_gone") != badAtOnce || w.count("api_server")+w.count("busy") > 0 || w.logs.String() != "" {
					t.Errorf("the answers are counted as %v, and the log says %q", w.series(), w.logs.String())
				}
				w.expect(w.get(""), http.StatusTooManyRequests, "too_many_requests", map[callers.Refusal]time.Duration{callers.Forbidden: time.Millisecond}[refusal])
			})
		})
	}
}

func TestTokenServerCountsThoseWhoHangUpWhileTheyWait(t *testing.T) {
	for name, c := range map[string]struct {
		slow   func(*world)
		others int
		after  time.Duration
	}{
		"for their turn":            {func(w *world) { w.askTime = 10 * time.Second }, 3 * maxReviews, time.Second},
		"for the token":             {func(*world) {}, 0, 5 * time.Second},
		"while they are asked anew": {func(w *world) { w.accessTime = time.Second }, 0, reviewEvery + 1500*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.watchChanges()
				w.change(c.slow)
				for range c.others {
					go func() { w.get("?wait=0") }()
				}
				synctest.Wait()
				w.hangUp(c.after)
				if w.count("client_gone") != 1 || w.count("api_server")+w.count("busy") > 0 {
					t.Errorf("the answers are counted as %v", w.series())
				}
				time.Sleep(time.Minute)
			})
		})
	}
}
