package controllers

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// The metrics of the protocol. None of them has a label for the resource: those are computed from the
// statuses when they are asked for (see resourceCollector).
var (
	exchanges = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_exchanges_total",
		Help: "Exchanges by outcome (Committed, Superseded, Stale, NotFenced, NoOutbox, Untouched, Unknown, Rejected, WrongUser, Discarded) and, for those that failed at GitHub, its reason.",
	}, []string{"outcome", "reason"})
	exchangeDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "githubusertoken_exchange_duration_seconds", Help: "Time from sending a refresh token to GitHub's reply.",
		Buckets: prometheus.ExponentialBuckets(0.05, 2, 10),
	})
	commitDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "githubusertoken_commit_duration_seconds", Help: "Time from a received pair to the stored pair.",
		Buckets: prometheus.ExponentialBuckets(0.005, 3, 12),
	})
	commitConflicts = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_commit_conflicts_total", Help: "Commits that met somebody else's write and were made again.",
	})
	commitRetries = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_commit_retries_total", Help: "Attempts to store a received pair that failed and are made again.",
	})
	intentsResolved = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_intents_resolved_total", Help: "Exchanges of unknown outcome that were found out.",
	})
	repliesLost = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_replies_lost_total", Help: "Exchanges that GitHub made and whose reply never arrived: a human had to log in again.",
	})
	outputWrites = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_output_writes_total", Help: "Writes of outputs by result (written, failed, not_owned).",
	}, []string{"result"})
	outputDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "githubusertoken_output_duration_seconds", Help: "Time from a stored pair to all of its outputs.",
		Buckets: prometheus.ExponentialBuckets(0.005, 3, 10),
	})
	handoffPods = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_handoff_pods_total", Help: "Pods that were told of a new token, by result (told, failed).",
	}, []string{"result"})
	handoffRestarts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_handoff_restarts_total", Help: "Workloads that were restarted for a new token, by result (restarted, missing, failed).",
	}, []string{"result"})
	flightPanics = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_flight_panics_total", Help: "Exchanges that ended in a panic of the operator.",
	})
)

func init() {
	metrics.Registry.MustRegister(exchanges, exchangeDuration, commitDuration, commitConflicts, commitRetries, intentsResolved, repliesLost, flightPanics,
		outputWrites, outputDuration, handoffPods, handoffRestarts)
}

// observe counts the result of a flight.
func observe(result rotation.Result) {
	reason := ""
	var failed *github.Error
	if errors.As(result.Err, &failed) {
		reason = string(failed.Reason)
	}
	exchanges.WithLabelValues(string(result.Outcome), reason).Inc()
	if result.ExchangeDuration > 0 {
		exchangeDuration.Observe(result.ExchangeDuration.Seconds())
	}
	if result.CommitDuration > 0 {
		commitDuration.Observe(result.CommitDuration.Seconds())
	}
	commitConflicts.Add(float64(result.Conflicts))
	if result.Resolved {
		intentsResolved.Inc()
	}
	if result.Reason == rotation.ReasonReplyLost {
		repliesLost.Inc()
	}
}
