package controllers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
)

// resourceCollector computes the metrics of each resource from the cache when they are asked for, so that
// 100,000 resources cost no memory for metrics.
type resourceCollector struct {
	cache  client.Reader
	runner *runner.Runner
	outbox *outbox.Outbox
}

var (
	accessExpiry = prometheus.NewDesc("githubusertoken_access_token_expiration_timestamp_seconds",
		"When the access token in the Secret expires (Unix time).", []string{"namespace", "name"}, nil)
	refreshExpiry = prometheus.NewDesc("githubusertoken_refresh_token_expiration_timestamp_seconds",
		"When the refresh token in the Secret expires (Unix time).", []string{"namespace", "name"}, nil)
	nextRefreshAt = prometheus.NewDesc("githubusertoken_next_refresh_timestamp_seconds",
		"When the next exchange, or the next try of a failing one, is due (Unix time).", []string{"namespace", "name"}, nil)
	conditions = prometheus.NewDesc("githubusertoken_condition",
		"1 for each condition of a resource, with its status and reason.", []string{"namespace", "name", "type", "status", "reason"}, nil)
	inFlight = prometheus.NewDesc("githubusertoken_exchanges_in_flight",
		"Exchanges under way, those whose pair cannot be stored yet included.", nil, nil)
	outboxRecords = prometheus.NewDesc("githubusertoken_outbox_records",
		"Received pairs that are not stored yet.", nil, nil)
	outboxOldest = prometheus.NewDesc("githubusertoken_outbox_oldest_record_age_seconds",
		"Age of the oldest received pair that is not stored yet; 0 when there is none.", nil, nil)
	outboxCorrupt = prometheus.NewDesc("githubusertoken_outbox_corrupt_records",
		"Records of the outbox that could not be read and were set aside.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *resourceCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{accessExpiry, refreshExpiry, nextRefreshAt, conditions, inFlight, outboxRecords, outboxOldest, outboxCorrupt} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (c *resourceCollector) Collect(found chan<- prometheus.Metric) {
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		found <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
	gauge(inFlight, float64(c.runner.Count()))
	if c.outbox != nil {
		stats := c.outbox.Stats()
		gauge(outboxRecords, float64(stats.Records))
		gauge(outboxOldest, stats.OldestAge.Seconds())
		gauge(outboxCorrupt, float64(stats.Corrupt))
	}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var all v1alpha1.GitHubUserTokenList
	if err := c.cache.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return // The cache has not started yet.
	}
	for i := range all.Items {
		token := &all.Items[i]
		for description, at := range map[*prometheus.Desc]*metav1.Time{
			accessExpiry: token.Status.AccessTokenExpirationTime, refreshExpiry: token.Status.RefreshTokenExpirationTime,
			nextRefreshAt: token.Status.NextRefreshTime,
		} {
			if at != nil {
				gauge(description, float64(at.Unix()), token.Namespace, token.Name)
			}
		}
		for _, condition := range token.Status.Conditions {
			gauge(conditions, 1, token.Namespace, token.Name, condition.Type, string(condition.Status), condition.Reason)
		}
	}
}
