package main

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// buildInfo is the metric that says which version runs, and as what where it is not the operator: one that is scraped is no operator.
func buildInfo(component string) prometheus.Collector {
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	labels := prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()}
	if component != "" {
		labels["component"] = component
	}
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "githubusertoken_build_info", Help: "1, with the version of the operator, the revision of its source and the version of Go that it was built with.",
		ConstLabels: labels,
	})
	gauge.Set(1)
	return gauge
}
