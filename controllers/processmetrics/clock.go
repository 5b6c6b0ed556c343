package processmetrics

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var clockSkew = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "githubusertoken_clock_skew_seconds",
	Help: "How far the node's clock was ahead of GitHub's at GitHub's last reply with a Date; negative when it was behind.",
})

func init() { metrics.Registry.MustRegister(clockSkew) }

const (
	// WrongClock is from how far on a difference between the node's clock and GitHub's is worth a word.
	WrongClock = time.Minute
	// skewLogged is how often at most it is logged: where several hosts answer, the clock of one of them may be the wrong one.
	skewLogged = time.Hour
)

// WatchClock returns what a github.Client is to tell of the clocks that it has compared. That they differ is logged when it
// is first seen, and not again within an hour by the monotonic clock.
func WatchClock(log logr.Logger, monotonic func() time.Duration) func(host string, ahead time.Duration) {
	var mu sync.Mutex
	var logged *time.Duration
	return func(host string, ahead time.Duration) {
		clockSkew.Set(ahead.Seconds())
		mu.Lock()
		defer mu.Unlock()
		now := monotonic()
		if ahead.Abs() < WrongClock || logged != nil && now-*logged < skewLogged {
			return
		}
		logged = &now
		log.Info("The clock of this node and that of the host differ: set the node's clock, or else the host's", "host", host, "ahead", ahead.Round(time.Second).String())
	}
}
