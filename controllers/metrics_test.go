package controllers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/processmetrics"
	"github.com/githubusertoken/github-user-token-operator/controllers/runner"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
)

// What the operator tells follows the conventions of Prometheus; that of controller-runtime is its own.
func TestMetricsFollowTheConventions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("octocat")
	w.own("mine", nil)
	w.startUsing(w.using("hubot", v1alpha1.KindGitHubApp, "mine"))
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.collector())
	problems, err := testutil.GatherAndLint(registry)
	w.must(err)
	ofRegistry, err := testutil.GatherAndLint(metrics.Registry)
	_ = err // The suite's one registry may hold the same figures of another operator.
	var text strings.Builder
	writer := exposition.NewWriter(&text)
	w.reconciler.WriteResourceMetrics(writer)
	w.must(writer.Flush())
	ofResources, err := promlint.New(strings.NewReader(text.String())).Lint()
	w.must(err)
	for _, problem := range append(append(problems, ofRegistry...), ofResources...) {
		if strings.HasPrefix(problem.Metric, "githubusertoken_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
	if want := fmt.Sprintf(`githubusertoken_info{namespace=%q,name="octocat",host=%q,client_id=%q,`, w.namespace, w.site.Host, clientID); !strings.Contains(text.String(), want) {
		t.Errorf("of the resource is told: %s", text.String())
	}
	if want := fmt.Sprintf(`githubusertoken_info{namespace=%q,name="hubot",host=%q,client_id=%q,`, w.namespace, w.site.Host, clientID); !strings.Contains(text.String(), want) {
		t.Errorf("of the resource whose App is a GitHubApp is told: %s", text.String())
	}
	if want := fmt.Sprintf(`githubusertoken_app_info{kind="GitHubApp",namespace=%q,name="mine",host=%q,client_id=%q} 1`, w.namespace, w.site.Host, clientID); !strings.Contains(text.String(), want) {
		t.Errorf("of the GitHubApp is told: %s", text.String())
	}
	if !strings.Contains(text.String(), "githubusertoken_resources 2\n") {
		t.Error("the resources are not counted")
	}
}

// collector tells of the process of the test.
func (w *world) collector() *processmetrics.Collector {
	return &processmetrics.Collector{
		Runners: []*runner.Runner{w.reconciler.Runner}, Outbox: w.reconciler.Outbox, Limiter: w.reconciler.Limiter, Revocations: w.reconciler.Limiter,
	}
}
