package namespaces

import "github.com/prometheus/client_golang/prometheus"

var served = prometheus.NewDesc("githubusertoken_namespace_served",
	"1 for each watched namespace whose resources are known and may be watched, 0 for one that the API server refuses or has not listed yet. "+
		"The namespace is empty where all are watched.", []string{"namespace"}, nil)

// Describe implements prometheus.Collector.
func (w *Watched) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- served }

// Collect implements prometheus.Collector.
func (w *Watched) Collect(metrics chan<- prometheus.Metric) {
	for _, name := range w.names {
		value := 1.0
		if w.Err(name) != nil || w.Refused(name) != nil {
			value = 0
		}
		metrics <- prometheus.MustNewConstMetric(served, prometheus.GaugeValue, value, name)
	}
}
