package tokenserver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// serverMetrics count answers by a word for what they came to. The words are ours: nothing of a request is a label.
type serverMetrics struct {
	answers  *prometheus.CounterVec
	duration prometheus.Histogram
	waiting  prometheus.Gauge
	// said bounds how often the log says why somebody was not answered.
	said *rate.Limiter
}

func newMetrics() *serverMetrics {
	m := &serverMetrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "githubusertoken_token_server_answers_total", Help: "Answers of the token server, by outcome.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "githubusertoken_token_server_release_duration_seconds", Help: "Time until a token was given out, where nobody had to wait for another one.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "githubusertoken_token_server_waiting", Help: "Requests that wait for a token.",
		}),
		said: rate.NewLimiter(1, 5),
	}
	for _, outcome := range outcomes {
		m.answers.WithLabelValues(outcome)
	}
	return m
}

func (m *serverMetrics) count(a *answer, took time.Duration) {
	m.answers.WithLabelValues(a.outcome).Inc()
	if a.token != nil && !a.waited {
		m.duration.Observe(took.Seconds())
	}
}

func (m *serverMetrics) maySay() bool { return m.said.AllowN(time.Now(), 1) }

// Metrics are those of the server, to be registered.
func (s *Server) Metrics() []prometheus.Collector {
	return []prometheus.Collector{s.metrics.answers, s.metrics.duration, s.metrics.waiting}
}
