package processmetrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// The metrics of requests to GitHub. They have no label for the host: tenants choose it.
var (
	githubRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_github_requests_total",
		Help: "Requests to GitHub hosts by endpoint and by the HTTP status of the reply; none when there was no reply. The token endpoint sends most errors with 200.",
	}, []string{"endpoint", "code"})
	githubDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "githubusertoken_github_request_duration_seconds", Help: "Time of requests to GitHub hosts by endpoint, connecting included.",
		Buckets: prometheus.ExponentialBuckets(0.05, 2, 10),
	}, []string{"endpoint"})
)

// The codes that are no HTTP status.
const (
	codeNone  = "none"
	codeOther = "other"
)

func init() {
	metrics.Registry.MustRegister(githubRequests, githubDuration)
	for _, endpoint := range github.AllEndpoints() {
		githubRequests.WithLabelValues(string(endpoint), codeNone)
		githubDuration.WithLabelValues(string(endpoint))
	}
}

// CountCall counts a request that a github.Client tells of.
func CountCall(call github.Call) {
	code := codeNone
	switch {
	case call.Status != 0 && http.StatusText(call.Status) == "":
		code = codeOther // A host could make up any number of codes.
	case call.Status != 0:
		code = strconv.Itoa(call.Status)
	}
	githubRequests.WithLabelValues(string(call.Endpoint), code).Inc()
	githubDuration.WithLabelValues(string(call.Endpoint)).Observe(call.Duration.Seconds())
}
