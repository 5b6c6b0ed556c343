package controllers

import (
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

var clockSkew = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "githubusertoken_clock_skew_seconds",
	Help: "How far the node's clock was ahead of GitHub's at GitHub's last reply with a Date; negative when it was behind.",
})

func init() { metrics.Registry.MustRegister(clockSkew) }

const (
	// wrongClock is from how far on a difference between the node's clock and GitHub's is worth a word.
	wrongClock = time.Minute
	// skewLogged is how often at most it is logged: where several hosts answer, the clock of one of them may be the wrong one.
	skewLogged = time.Hour
)

// WatchClock returns what a github.Client is to tell of the clocks that it has compared. That they differ is logged when it
// is first seen, and not again within an hour.
func WatchClock(log logr.Logger) func(host string, ahead time.Duration) {
	return watchClock(log, rotation.SystemClock())
}

func watchClock(log logr.Logger, clock rotation.Clock) func(host string, ahead time.Duration) {
	var mu sync.Mutex
	var logged *time.Duration
	return func(host string, ahead time.Duration) {
		clockSkew.Set(ahead.Seconds())
		mu.Lock()
		defer mu.Unlock()
		now := clock.Monotonic()
		if ahead.Abs() < wrongClock || logged != nil && now-*logged < skewLogged {
			return
		}
		logged = &now
		log.Info("The clock of this node and that of the host differ: set the node's clock, or else the host's", "host", host, "ahead", ahead.Round(time.Second).String())
	}
}

// clockNote says in the message of Ready that a wrong clock has made the expiry earlier than the pair's own times say.
func clockNote(s *scope.Scope) string {
	state := s.Stored()
	switch earlier := state.ExpiresAt.Sub(s.ExpiresAt()); {
	case earlier >= wrongClock:
		return fmt.Sprintf(" By the operator's clock of the time at which the token was stored it would be %s later, but that clock was ahead, or is behind now: set the clock of the operator's node.",
			words.Duration(earlier))
	case state.Shortened >= wrongClock:
		return fmt.Sprintf(" The clock of the operator's node was at least %s ahead of GitHub's when the token was issued, so the expiry is that much earlier than by the node's clock: set that clock.",
			words.Duration(state.Shortened))
	default:
		return ""
	}
}
