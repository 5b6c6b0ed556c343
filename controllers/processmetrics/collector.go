package processmetrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/internal/ratelimit"
)

// Collector computes what limiters, the outbox and work under way have to tell when they are asked for.
type Collector struct {
	// Runners are what runs the work that is counted.
	Runners []*runner.Runner
	// Outbox may be nil.
	Outbox *outbox.Outbox
	// Limiter is that of token requests.
	Limiter *ratelimit.Limiter
	// Revocations is the limiter of those by GitHub's credentials endpoint, where no App is known.
	Revocations *ratelimit.Limiter
}

// maxApps is how many Apps have series of their own. Each was proven by somebody who has it, but anybody can make Apps at
// GitHub.
const maxApps = 500

// otherApps is the label of all Apps that have no series of their own: those that GitHub has not answered with success,
// whose names tenants make up, and those beyond maxApps.
const otherApps = "other"

var (
	operationsInFlight = prometheus.NewDesc("githubusertoken_operations_in_flight",
		"Work under way for resources, by operation (exchange, replay, device_flow, check, revocation, handoff). Exchanges include those whose pair cannot be stored yet.",
		[]string{"operation"}, nil)
	outboxRecords = prometheus.NewDesc("githubusertoken_outbox_records",
		"Received pairs that are not stored yet.", nil, nil)
	outboxOldest = prometheus.NewDesc("githubusertoken_outbox_oldest_record_age_seconds",
		"Age of the oldest received pair that is not stored yet; 0 when there is none.", nil, nil)
	outboxCorrupt = prometheus.NewDesc("githubusertoken_outbox_corrupt_records",
		"Records of the outbox that could not be read and were set aside.", nil, nil)
	limitWaiting = prometheus.NewDesc("githubusertoken_rate_limit_waiting_requests",
		"Token requests that wait for their turn under the limit of their App, or have it and do not use it yet.", []string{"app"}, nil)
	limitPaused = prometheus.NewDesc("githubusertoken_rate_limit_paused_until_timestamp_seconds",
		"Until when GitHub has asked for no more token requests of an App (Unix time); 0 when it has not.", []string{"app"}, nil)
	limitWait = prometheus.NewDesc("githubusertoken_rate_limit_wait_seconds",
		"How long token requests that went ahead had waited for their turn.", []string{"app"}, nil)
	revocationsWaiting = prometheus.NewDesc("githubusertoken_revocations_waiting",
		"Revocations that wait for their turn at GitHub's endpoint for leaked credentials.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		operationsInFlight, outboxRecords, outboxOldest, outboxCorrupt, limitWaiting, limitPaused, limitWait, revocationsWaiting,
	} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(found chan<- prometheus.Metric) {
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		found <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
	running := map[runner.Operation]int{}
	for _, r := range c.Runners {
		for operation, count := range r.CountEach() {
			running[operation] += count
		}
	}
	for _, operation := range runner.Operations() {
		gauge(operationsInFlight, float64(running[operation]), string(operation))
	}
	if c.Outbox != nil {
		stats := c.Outbox.Stats()
		gauge(outboxRecords, float64(stats.Records))
		gauge(outboxOldest, stats.OldestAge.Seconds())
		gauge(outboxCorrupt, float64(stats.Corrupt))
	}
	for _, stats := range byApp(c.Limiter) {
		until := 0.0
		if !stats.PausedUntil.IsZero() {
			until = float64(stats.PausedUntil.UnixMilli()) / float64(time.Second/time.Millisecond)
		}
		gauge(limitWaiting, float64(stats.Waiting), stats.App)
		gauge(limitPaused, until, stats.App)
		found <- prometheus.MustNewConstSummary(limitWait, stats.Turns, stats.Waited.Seconds(), nil, stats.App)
	}
	waiting := 0
	for _, stats := range byApp(c.Revocations) {
		waiting += stats.Waiting
	}
	gauge(revocationsWaiting, float64(waiting))
}

// byApp is what there is to tell of a limiter, by the labels of Apps.
func byApp(limiter *ratelimit.Limiter) []ratelimit.Stats {
	apps, others := limiter.Stats()
	others.App = otherApps
	for i, stats := range apps {
		if i < maxApps {
			apps[i].App = strings.ToValidUTF8(stats.App, "?")
			continue
		}
		others.Waiting += stats.Waiting
		others.Turns += stats.Turns
		others.Waited += stats.Waited
		if stats.PausedUntil.After(others.PausedUntil) {
			others.PausedUntil = stats.PausedUntil
		}
	}
	return append(apps[:min(len(apps), maxApps)], others)
}
