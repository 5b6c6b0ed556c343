package controllers

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// One namespace makes up client IDs. They get no more than the burst of their host together, and a resource of another
// namespace has its first pair at once, and from then on the limit of its App.
func TestMadeUpClientIDsUseUpNoLimitButTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2, controller: func(options *Options) { options.TokenRequestsPerHour = 2000 }})
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.TokenEndpoint).Always())
	const madeUp = 40
	for n := range madeUp {
		name := fmt.Sprint("made-up-", n)
		w.seed(name, name)
		token := w.resource(name)
		token.Spec.App.ClientID = fmt.Sprint("Iv23liMADEUP", n)
		w.create(token)
	}
	w.condition(fmt.Sprint("made-up-", madeUp-1), v1alpha1.ConditionReconciling, metav1.ConditionTrue, "")
	w.eventually("the burst to be used", func() (bool, string) { return asked.Hits() >= 10, fmt.Sprint(asked.Hits(), " requests") })

	hostile := w.namespace
	w.namespace = w.namespaces[1]
	began := time.Now()
	w.start("octocat")
	t.Logf("the victim's first pair took %s", time.Since(began).Round(time.Millisecond))
	for n := range 20 {
		w.request("octocat", fmt.Sprint(n))
		w.refreshed("octocat", int64(n)+2)
	}
	w.namespace = hostile
	if got := asked.Hits() - 21; got > 20 {
		t.Errorf("%d requests were made with made-up client IDs", got)
	}
}
