package handoff

import "github.com/prometheus/client_golang/prometheus"

var (
	podsNotified = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_handoff_pods_total", Help: "Pods notified of a new token, by result (told, failed).",
	}, []string{"result"})
	workloadsRestarted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_handoff_restarts_total", Help: "Workloads restarted for a new token, by result (restarted, missing, failed).",
	}, []string{"result"})
)

func init() { // A counter that is there from the start shows its first increase.
	for _, result := range []string{"told", "failed"} {
		podsNotified.WithLabelValues(result)
	}
	for _, result := range []string{"restarted", "missing", "failed"} {
		workloadsRestarted.WithLabelValues(result)
	}
}

// Metrics are the metrics of handoffs, to be registered once in a process. They are the same for every Handoff.
func Metrics() []prometheus.Collector {
	return []prometheus.Collector{podsNotified, workloadsRestarted}
}
