package scopedtokens

import "github.com/prometheus/client_golang/prometheus"

var (
	scopedTokens = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_scoped_tokens_total",
		Help: "Requests for scoped tokens by result (made, refused, lost: GitHub may have made one that never arrived).",
	}, []string{"result"})
	revocations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_scoped_token_revocations_total",
		Help: "Scoped tokens that are not needed any more, by result (ended, expired, failed: tried again, unproven: not known to be the operator's, given_up: their resource was deleted).",
	}, []string{"result"})
	publishDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "githubusertoken_scoped_output_duration_seconds", Help: "Time from a stored pair and its other outputs to all of its outputs with a scope.",
		Buckets: prometheus.ExponentialBuckets(0.01, 2, 11),
	})
)

// The results, as values of the metrics' label.
const (
	resultMade     = "made"
	resultRefused  = "refused"
	resultLost     = "lost"
	resultEnded    = "ended"
	resultExpired  = "expired"
	resultFailed   = "failed"
	resultUnproven = "unproven"
	resultGivenUp  = "given_up"
)

func init() {
	for _, result := range []string{resultMade, resultRefused, resultLost} {
		scopedTokens.WithLabelValues(result) // A counter that is there from the start shows its first increase.
	}
	for _, result := range []string{resultEnded, resultExpired, resultFailed, resultUnproven, resultGivenUp} {
		revocations.WithLabelValues(result)
	}
}

// Metrics are to be registered once in a process.
func Metrics() []prometheus.Collector {
	return []prometheus.Collector{scopedTokens, revocations, publishDuration}
}
