package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/tokencount"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const (
	saysEight = "has eight tokens of this App in this cluster, or more"
	saysTen   = "has more than ten tokens of this App in this cluster"
)

// Eleven resources of one person, in two namespaces: from the eighth on the newest says so, and at the eleventh GitHub ends the
// token that was not used for the longest time, which its next refresh finds.
func TestTokenCountOfElevenResourcesOfOneAccountAndApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: githubtest.App{MaxCreations: -1}, namespaces: 2})
	const resources = 11
	name := func(n int) string { return fmt.Sprintf("env-%d", n) }
	in := func(n int) { w.namespace = w.namespaces[n%2] }
	advice := func(n int) string {
		in(n)
		condition := meta.FindStatusCondition(w.get(name(n)).Status.Conditions, v1alpha1.ConditionAuthorized)
		if condition == nil {
			return ""
		}
		return condition.Message
	}
	// only waits until one of the first n resources says so, and makes sure that no other does.
	only := func(n, who int, part string) {
		t.Helper()
		in(who)
		w.says(name(who), v1alpha1.ConditionAuthorized, part)
		for i := range n {
			w.eventually(fmt.Sprintf("%d of %d to say nothing of the others", i, n), func() (bool, string) {
				said := advice(i)
				return i == who || !strings.Contains(said, "tokens of this App in this cluster"), said
			})
		}
	}
	w.own("own", nil) // What names the App inline counts for it as well.
	for n := range resources {
		in(n)
		w.seed(name(n), "octocat")
		w.create(w.resource(name(n)))
		w.ready(name(n))
		w.account(name(n))
		created := w.pair(name(n) + "-token").CreationTimestamp
		w.eventually("the next second, so that the next one is the newest", func() (bool, string) {
			return time.Now().Unix() > created.Unix(), ""
		})
		switch n {
		case 6:
			if said := advice(n); strings.Contains(said, "in this cluster") {
				t.Errorf("the seventh says %q", said)
			}
		case 7:
			only(n+1, n, saysEight)
		}
	}
	only(resources, resources-1, saysTen)
	w.accountsTold(1, 1)
	if said := advice(resources - 1); strings.Contains(said, w.namespaces[1]) {
		t.Errorf("another namespace is named: %q", said)
	}
	in(0)
	if w.gh.Alive(access(w.pair(name(0) + "-token"))) {
		t.Error("GitHub keeps more than ten tokens")
	}
	w.request(name(0), "again")
	rejected := w.condition(name(0), v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	if !strings.Contains(rejected.Message, "was ended by GitHub when the user had more than ten tokens of this App") {
		t.Errorf("said is %q", rejected.Message)
	}
	only(resources, resources-1, saysEight) // One chain has come to its end.
	w.accountsTold(1, 0)
	// A restart changes no status.
	w.quiet()
	in(resources - 1)
	version := w.get(name(resources - 1)).ResourceVersion
	w.restart()
	w.observed(name(resources - 1))
	w.quiet()
	if now := w.get(name(resources - 1)).ResourceVersion; now != version {
		t.Errorf("the newest resource was written after a restart: %s", advice(resources-1))
	}
	only(resources, resources-1, saysEight)
}

// accountsTold waits until the metrics tell of so many accounts near and over the limit, of the GitHubApp in the first namespace.
func (w *world) accountsTold(near, over float64) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the metrics to tell of %v and %v accounts", near, over), func() (bool, string) {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(&tokencount.Collector{Counter: w.reconciler.tokens, Apps: w.reconciler.appSource.All})
		families, err := registry.Gather()
		w.must(err)
		told := map[string]float64{}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				series := family.GetName()
				for _, label := range metric.GetLabel() {
					series += " " + label.GetValue()
				}
				told[series] = metric.GetGauge().GetValue()
			}
		}
		of := " GitHubApp own " + w.namespaces[0]
		return len(told) == 4 && told["githubusertoken_app_accounts_near_token_limit"+of] == near &&
			told["githubusertoken_app_accounts_over_token_limit"+of] == over, fmt.Sprint(told)
	})
}
