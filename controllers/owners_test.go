package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// shared puts one refresh token into the seed of resources of several names, and returns it.
func (w *world) shared(names ...string) string {
	token := w.login("octocat")
	for _, name := range names {
		w.secret(name+"-seed", map[string]string{"refresh_token": token})
	}
	return token
}

// inUse is how a resource speaks whose refresh token another one owns.
func (w *world) inUse(owner string) refusal {
	return refusal{
		reason: v1alpha1.ReasonRefreshTokenInUse,
		says:   fmt.Sprintf("GitHubUserToken %s/%s owns this refresh token", w.namespace, owner),
	}
}

// oldest sorts resources as the operator must: by creation, then by UID.
func (w *world) oldest(names ...string) []string {
	slices.SortFunc(names, func(a, b string) int {
		first, second := w.get(a), w.get(b)
		if order := first.CreationTimestamp.Compare(second.CreationTimestamp.Time); order != 0 {
			return order
		}
		return strings.Compare(string(first.UID), string(second.UID))
	})
	return names
}

func TestOwnerOfTwoResourcesWithOneRefreshTokenTheOlderOwnsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	seed := w.shared("first", "second")
	w.create(w.resource("first"))
	before := w.ready("first")
	w.create(w.resource("second"))
	w.refused("second", w.inUse("first"))
	w.absent("second-token")
	w.quiet()
	w.presented(1)
	w.restart()
	w.quiet()
	w.refused("second", w.inUse("first"))
	w.samePair(before, w.ready("first"))
	w.presented(1)

	// The owner rotates; its chain goes back to the token all the same.
	w.request("first", "1")
	w.refreshed("first", 2)
	w.request("second", "1")
	w.quiet()
	w.refused("second", w.inUse("first"))
	w.presented(2)

	// A login of its own is what the second one needs.
	w.seed("second", "hubot")
	w.ready("second")
	w.ready("first")
	w.presented(3)
	if w.gh.ExchangesOf(seed) != 1 {
		t.Error("the shared token was exchanged more than once")
	}
}

// Created in the same second, in any order of arrival, before the operator looks at either: exactly one owns
// the token, the one that every replica agrees on.
func TestOwnerOfResourcesCreatedTogetherOneOwnsTheRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noOperator: true})
	names := []string{"a", "b", "c", "d"}
	seed := w.shared(names...)
	for _, name := range names {
		w.create(w.resource(name))
	}
	names = w.oldest(names...)
	w.startOperator(w.options)
	before := w.ready(names[0])
	for _, name := range names[1:] {
		w.refused(name, w.inUse(names[0]))
		w.absent(name + "-token")
	}
	w.quiet()
	w.restart()
	w.quiet()
	for _, name := range names[1:] {
		w.refused(name, w.inUse(names[0]))
	}
	w.samePair(before, w.ready(names[0]))
	w.presented(1)
	if w.gh.ExchangesOf(seed) != 1 {
		t.Error("the token was not exchanged once")
	}
}

// Which of two namespaces gets the token is not settled beforehand, only that one does.
func TestOwnerIsOneOfResourcesInTwoNamespaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2, noOperator: true})
	seed := w.shared("octocat")
	w.create(w.resource("octocat"))
	owner, other := w.namespaces[0], w.namespaces[1]
	w.namespace = other
	w.secret("octocat-seed", map[string]string{"refresh_token": seed})
	w.create(w.resource("octocat"))
	w.startOperator(w.options)
	w.eventually("one of them to own the token", func() (bool, string) {
		for range 2 {
			if w.namespace = owner; w.find("octocat-token") != nil {
				return true, ""
			}
			owner, other = other, owner
		}
		return false, suite.Describe(w.get("octocat"))
	})
	want := refusal{reason: v1alpha1.ReasonRefreshTokenInUse, says: "A GitHubUserToken of another namespace owns this refresh token"}
	for range 2 {
		w.namespace = owner
		w.ready("octocat")
		w.namespace = other
		w.refused("octocat", want)
		w.quiet()
		w.presented(1)
		w.restart()
		w.quiet()
	}
}

// When the owner goes, the other one tries the token that is left to it, and says what it finds: the token
// was spent by the owner. It never takes over in silence.
func TestOwnerAfterTheOwnerIsDeletedTheOtherReportsTheTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{spendsTwice: true})
	w.shared("first", "second")
	w.create(w.resource("first"))
	w.ready("first")
	w.create(w.resource("second"))
	w.refused("second", w.inUse("first"))
	w.remove(w.resourceNamed("first"))
	w.gone(w.resourceNamed("first"))
	w.refused("second", refusal{reason: v1alpha1.ReasonRefreshTokenRejected, says: "Authorize the App again", unauthorized: true})
	w.quiet()
	w.presented(2)
}

// The owner never got to exchange the token: its turn passes on, and the token is still good.
func TestOwnerThatNeverExchangedLeavesAGoodToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.shared("first", "second")
	owner := w.resource("first")
	owner.Spec.App.ClientSecretRef.Name = "nowhere"
	w.create(owner)
	w.refused("first", refusal{reason: v1alpha1.ReasonClientSecretMissing})
	w.create(w.resource("second"))
	w.refused("second", w.inUse("first"))
	w.quiet()
	w.presented(0)
	w.remove(w.resourceNamed("first"))
	w.gone(w.resourceNamed("first"))
	w.ready("second")
	w.presented(1)
}

// The owner gets a login of its own before it ever exchanged the shared one: that is free then.
func TestOwnerThatGivesItsTokenUpLeavesItToTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.shared("first", "second")
	owner := w.resource("first")
	owner.Spec.App.ClientSecretRef.Name = "nowhere"
	w.create(owner)
	w.refused("first", refusal{reason: v1alpha1.ReasonClientSecretMissing})
	w.create(w.resource("second"))
	w.refused("second", w.inUse("first"))
	w.seed("first", "hubot")
	w.ready("second")
	w.presented(1)
	w.secret("nowhere", map[string]string{"client_secret": clientSecret})
	w.ready("first")
	w.presented(2)
}

// Somebody copies the current refresh token out of a pair Secret into the seed of another resource.
func TestOwnerCurrentRefreshTokenOfAChainCannotBeTheSeedOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("first")
	w.settle()
	w.secret("second-seed", map[string]string{"refresh_token": refresh(before)})
	w.create(w.resource("second"))
	w.refused("second", w.inUse("first"))
	w.quiet()
	w.samePair(before, w.ready("first"))
	w.presented(1)
}

// A new login that another resource owns does not hurt a working chain.
func TestOwnerSharedTokenAsANewLoginDoesNotHurtAWorkingChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.start("first")
	before := w.start("second")
	stolen := w.pair("first-token")
	w.secret("second-seed", map[string]string{"refresh_token": refresh(stolen)})
	want := w.inUse("first")
	want.working = true
	w.refused("second", want)
	w.quiet()
	w.samePair(before, w.alive("second-token"))
	w.presented(2)
	w.seed("second", "second")
	w.eventually("the login", func() (bool, string) { return len(w.gh.Exchanges()) == 3, suite.Describe(w.get("second")) })
	w.ready("second")
}

// A seed that holds another's token is of no use, and no reason to let the chain that is there die.
func TestOwnerOfAChainRenewsItWhileItsSeedHoldsTheTokenOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	token := refresh(w.start("octocat"))
	own := refresh(w.start("hubot"))
	w.settle()
	w.push("hubot", token)
	w.condition("hubot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenInUse)
	w.presented(2)
	w.request("hubot", "1")
	w.eventually("its own chain to be renewed", func() (bool, string) {
		return refresh(w.find("hubot-token")) != own, suite.Describe(w.get("hubot"))
	})
	w.condition("hubot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenInUse)
	w.ready("hubot")
	w.quiet()
	w.presented(3)
	if w.gh.ExchangesOf(own) != 1 || w.gh.ExchangesOf(token) != 0 {
		t.Error("another token than its own was exchanged")
	}

	// While that fails it is told of, and the seed afterwards.
	away := w.gh.Inject(githubtest.Redirect(307, "https://elsewhere.example").Always())
	w.request("hubot", "2")
	w.condition("hubot", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonRedirected)
	away.Remove()
	w.condition("hubot", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenInUse)
}
