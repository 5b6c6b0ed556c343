package tokencount

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestTokenCountMetricsHaveSeriesOfAppObjectsOnly(t *testing.T) {
	w := newWorld()
	for n := range 30 {
		w.see(n, func(p *rotation.Pair) {
			switch {
			case n >= 19: // Eleven of an App that no object names, in as many spellings.
				p.State.App = "github.com/Iv23other"
			case n >= 11:
				p.State.User.ID = 2
			}
		})
	}
	for n := range 2000 { // Made-up client IDs.
		w.see(100+n, func(p *rotation.Pair) { p.State.App = fmt.Sprintf("github.com/Iv%d", n/WarnFrom) })
	}
	w.round()
	collector := &Collector{Counter: w.Counter, Apps: func(context.Context) ([]App, error) {
		return []App{
			{Kind: "ClusterGitHubApp", Name: "platform", Key: strings.ToLower(sharedApp)},
			{Kind: "GitHubApp", Namespace: "team-a", Name: "own", Key: "github.com/iv23unused"},
		}, nil
	}}
	got := gathered(t, collector)
	const near, over = "githubusertoken_app_accounts_near_token_limit", "githubusertoken_app_accounts_over_token_limit"
	want := map[string]float64{
		near + ",kind=ClusterGitHubApp,name=platform,namespace=": 2, over + ",kind=ClusterGitHubApp,name=platform,namespace=": 1,
		near + ",kind=GitHubApp,name=own,namespace=team-a": 0, over + ",kind=GitHubApp,name=own,namespace=team-a": 0,
		near + ",kind=other,name=,namespace=": 251, over + ",kind=other,name=,namespace=": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	// Where deployments share a cluster each tells of its own Apps, and one of what no App object names.
	collector.NotOthers = true
	apps := collector.Apps
	collector.Apps = func(ctx context.Context) ([]App, error) {
		named, err := apps(ctx)
		named[0].Elsewhere = true
		return named, err
	}
	maps.DeleteFunc(want, func(name string, _ float64) bool { return !strings.Contains(name, "team-a") })
	if got := gathered(t, collector); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func gathered(t *testing.T, collector *Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += "," + label.GetName() + "=" + label.GetValue()
			}
			got[name] = metric.GetGauge().GetValue()
		}
	}
	return got
}
