package controllers

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/notices"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/controllers/processmetrics"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/scopedtokens"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencheck"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// The metrics of exchanges. None of them has a label for the resource: those are computed from the statuses when
// they are asked for (see resourcemetrics).
var (
	exchanges = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "githubusertoken_exchanges_total",
		Help: "Exchanges by outcome (Committed, Superseded, Stale, NotFenced, NoOutbox, Untouched, Unknown, Rejected, Unrecorded, WrongUser, Discarded) and, for those that failed at GitHub, its reason.",
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
		Name: "githubusertoken_commit_conflicts_total", Help: "Commits that met another writer's change and were made again.",
	})
	commitRetries = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_commit_retries_total", Help: "Attempts to store a received pair that failed and are made again.",
	})
	intentsResolved = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_intents_resolved_total", Help: "Exchanges of unknown outcome whose outcome was found out.",
	})
	repliesLost = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_replies_lost_total", Help: "Exchanges that GitHub made and whose reply never arrived: a person has to log in again.",
	})
	exchangePanics = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "githubusertoken_exchange_panics_total", Help: "Exchanges that ended in a panic of the operator.",
	})
)

// outcomes are those of an exchange. A counter that is there from the start, at 0, shows its first increase.
var outcomes = []rotation.Outcome{
	rotation.Committed, rotation.Superseded, rotation.Stale, rotation.NotFenced, rotation.NoOutbox, rotation.Untouched,
	rotation.Unknown, rotation.Rejected, rotation.Unrecorded, rotation.WrongUser, rotation.Discarded,
}

func init() {
	for _, outcome := range outcomes {
		exchanges.WithLabelValues(string(outcome), "")
	}
	metrics.Registry.MustRegister(exchanges, exchangeDuration, commitDuration, commitConflicts, commitRetries, intentsResolved, repliesLost, exchangePanics)
	for _, room := range [][]prometheus.Collector{
		outputs.Metrics(), handoff.Metrics(), deviceflow.Metrics(), logins.Metrics(), tokencheck.Metrics(), revocation.Metrics(), notices.Metrics(), scopedtokens.Metrics(),
	} {
		metrics.Registry.MustRegister(room...)
	}
}

// observe counts the result of an exchange.
func observe(result rotation.Result) {
	reason := ""
	if failed, ok := errors.AsType[*github.Error](result.Err); ok {
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

// CountCall is what a github.Client is to tell of each request.
func CountCall(call github.Call) { processmetrics.CountCall(call) }

// appOf is the host and the client ID of the App of a resource, as far as the cache knows them.
func (r *Reconciler) appOf(token *v1alpha1.GitHubUserToken) (host, clientID string) {
	app := scope.InlineApp(token)
	if token.Spec.App.Ref != nil { // What binds one that stands in the spec itself is of no concern.
		var err error
		if app, err = r.apps.App(context.Background(), token); err != nil {
			return "", ""
		}
	}
	return app.Host, app.ClientID
}

// WriteResourceMetrics writes the metrics of resources, where this process leads.
func (r *Reconciler) WriteResourceMetrics(w *exposition.Writer) {
	r.resourceMetrics.Write(w, r.Clock.Now())
}
