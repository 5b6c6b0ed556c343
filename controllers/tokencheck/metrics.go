package tokencheck

import "github.com/prometheus/client_golang/prometheus"

var tokenChecks = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "githubusertoken_token_checks_total",
	Help: "Checks at GitHub whether an access token is alive, by answer (alive, dead, unknown, refused, barred).",
}, []string{"answer"})

func init() { // A counter that is there from the start shows its first increase.
	for _, of := range []answer{alive, dead, unknown, refused, barred} {
		tokenChecks.WithLabelValues(string(of))
	}
}

// Metrics are to be registered once in a process.
func Metrics() []prometheus.Collector { return []prometheus.Collector{tokenChecks} }
