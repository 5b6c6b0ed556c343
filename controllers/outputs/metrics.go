package outputs

import "github.com/prometheus/client_golang/prometheus"

var (
	outputWrites = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_output_writes_total", Help: "Writes of outputs by result (written, failed, not_owned).",
	}, []string{"result"})
	outputDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "githubusertoken_output_duration_seconds", Help: "Time from a stored pair to all of its outputs.",
		Buckets: prometheus.ExponentialBuckets(0.005, 3, 10),
	})
)

func init() {
	for _, result := range []string{"written", "failed", "not_owned"} {
		outputWrites.WithLabelValues(result) // A counter that is there from the start shows its first increase.
	}
}

// Metrics are the metrics of outputs, to be registered once in a process. They are the same for every Outputs.
func Metrics() []prometheus.Collector { return []prometheus.Collector{outputWrites, outputDuration} }
