package loginpage

import "github.com/prometheus/client_golang/prometheus"

// pageMetrics count answers: by the step, and by a word for what it came to. Both are ours, nothing of a request is a label.
type pageMetrics struct{ answers *prometheus.CounterVec }

func newMetrics() *pageMetrics {
	return &pageMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_login_page_answers_total", Help: "Answers of the login page, by step and outcome.",
	}, []string{"step", "outcome"})}
}

func (m *pageMetrics) count(step, outcome string) { m.answers.WithLabelValues(step, outcome).Inc() }

// Metrics are those of the page, to be registered.
func (p *Page) Metrics() prometheus.Collector { return p.metrics.answers }
