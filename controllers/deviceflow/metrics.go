package deviceflow

import "github.com/prometheus/client_golang/prometheus"

var deviceCodes = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "githubusertoken_device_codes_total", Help: "Codes offered to people to enter at GitHub.",
})

// Metrics are to be registered once in a process.
func Metrics() []prometheus.Collector { return []prometheus.Collector{deviceCodes} }
