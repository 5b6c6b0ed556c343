package revocation

import "github.com/prometheus/client_golang/prometheus"

var revocations = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "githubusertoken_revocations_total",
	Help: "Pairs to be revoked at GitHub, by result (ended, given_up).",
}, []string{"result"})

// The results, as values of the metric's label.
const (
	resultRevoked = "ended"
	resultGivenUp = "given_up"
)

func init() {
	for _, result := range []string{resultRevoked, resultGivenUp} {
		revocations.WithLabelValues(result)
	}
}

// Metrics are to be registered once in a process.
func Metrics() []prometheus.Collector { return []prometheus.Collector{revocations} }
