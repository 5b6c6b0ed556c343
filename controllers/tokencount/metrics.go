package tokencount

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// App is a GitHubApp or ClusterGitHubApp, and the key of its host and client ID; see scope.AppKey.
type App struct {
	Kind, Namespace, Name string
	Key                   string
	// Elsewhere reports that another process has its series.
	Elsewhere bool
}

// other is the kind in the metrics of what no App object names. Client IDs come from tenants, and make no series.
const other = "other"

var (
	nearLimit = prometheus.NewDesc("githubusertoken_app_accounts_near_token_limit",
		"Accounts that have eight tokens of the App in this cluster, or more.", []string{"kind", "namespace", "name"}, nil)
	overLimit = prometheus.NewDesc("githubusertoken_app_accounts_over_token_limit",
		"Accounts that have more than ten tokens of the App in this cluster, so that GitHub may end some of them.", []string{"kind", "namespace", "name"}, nil)
)

// Collector computes the metrics of a Counter when they are asked for.
type Collector struct {
	Counter *Counter
	// Apps are the objects that have series of their own. An error means that it is not known.
	Apps func(ctx context.Context) ([]App, error)
	// Leading is closed when this process counts: there is nothing to tell before. Nil: it always does.
	Leading <-chan struct{}
	// NotOthers reports that another process has the series of what no App object names.
	NotOthers bool
}

func (c *Collector) leads() bool {
	if c.Leading == nil {
		return true
	}
	select {
	case <-c.Leading:
		return true
	default:
		return false
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- nearLimit
	descriptions <- overLimit
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(found chan<- prometheus.Metric) {
	if !c.leads() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	apps, err := c.Apps(ctx)
	if err != nil {
		return // The cache has not started yet.
	}
	gauges := func(u usage, labels ...string) {
		found <- prometheus.MustNewConstMetric(nearLimit, prometheus.GaugeValue, float64(u.near), labels...)
		found <- prometheus.MustNewConstMetric(overLimit, prometheus.GaugeValue, float64(u.over), labels...)
	}
	byApp := c.Counter.usage()
	named := map[uint64]bool{}
	for _, app := range apps {
		key := c.Counter.hash(app.Key)
		named[key] = true
		if !app.Elsewhere {
			gauges(byApp[key], app.Kind, app.Namespace, app.Name)
		}
	}
	if c.NotOthers {
		return
	}
	var rest usage
	for key, u := range byApp {
		if !named[key] {
			rest.near, rest.over = rest.near+u.near, rest.over+u.over
		}
	}
	gauges(rest, other, "", "")
}

// usage is how many accounts of an App are near Limit, those over it included, and over it.
type usage struct{ near, over int }

// usage is that of each App of which accounts are near Limit.
func (c *Counter) usage() map[uint64]usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	byApp := map[uint64]usage{}
	for which, of := range c.accounts {
		if of.now().level == few {
			continue
		}
		u := byApp[which.app]
		u.near++
		if of.now().level == over {
			u.over++
		}
		byApp[which.app] = u
	}
	return byApp
}
