package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// One namespace makes up client IDs. They get no more than the burst of their host together, and a resource of another
// namespace has its first pair at once, and from then on the limit of its App.
func TestLimitMadeUpClientIDsUseUpNoLimitButTheirOwn(t *testing.T) {
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

// One namespace deletes many resources whose tokens only they themselves can revoke, and GitHub takes 60 such requests an
// hour from the operator's address. A resource of another namespace has its turn at once.
func TestLimitDeletionHasItsTurnAtTheCredentialsEndpointAlthoughAnotherNamespaceWantsMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2})
	noSecret := func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientSecretRef = nil }
	asked := w.gh.Inject(githubtest.Delay(0).At(githubtest.RevokeEndpoint).Always())
	const many = 24
	for n := range many {
		w.revocable(fmt.Sprint("many-", n), noSecret)
	}
	w.must(admin.DeleteAllOf(w.ctx, &v1alpha1.GitHubUserToken{}, client.InNamespace(w.namespace)))
	w.eventually("some to wait for their turn", func() (bool, string) {
		var events eventsv1.EventList
		w.must(admin.List(w.ctx, &events, client.InNamespace(w.namespace)))
		waiting := 0
		for _, event := range events.Items {
			if event.Reason == revocation.EventRevocationWaiting && strings.Contains(event.Note, "With the client secret of the App there is nothing to wait for.") {
				waiting++
			}
		}
		return waiting >= many-16, fmt.Sprint(waiting, " are told of")
	})
	w.namespace = w.namespaces[1]
	pair := w.revocable("octocat", noSecret)
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.ended(pair)
	if got := asked.Hits(); got > 20 {
		t.Errorf("GitHub was asked %d times", got)
	}
}
