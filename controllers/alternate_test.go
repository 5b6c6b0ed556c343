package controllers

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// alternates gives a resource that is ready the strategy Alternate, with a second login of the same account in a seed.
func (w *world) alternates(name string, edit ...func(*v1alpha1.Rotation)) {
	w.t.Helper()
	w.seed(name+"-second", name)
	rotation := &v1alpha1.Rotation{
		Strategy: v1alpha1.RotationAlternate, AlternateRefreshTokenRef: &v1alpha1.RefreshTokenReference{Name: name + "-second-seed", Key: "refresh_token"},
	}
	for _, e := range edit {
		e(rotation)
	}
	w.change(name, func(token *v1alpha1.GitHubUserToken) { token.Spec.Rotation = rotation })
}

// published waits until the token that workloads read is another one than before, and that of the pair in a Secret.
func (w *world) published(name, pair, before string) string {
	w.t.Helper()
	var token string
	w.eventually(fmt.Sprintf("the token in %s to be published in %s-token", pair, name), func() (bool, string) {
		secret, of := w.find(name+"-token"), w.find(pair)
		if secret == nil || of == nil {
			return false, suite.Describe(w.get(name))
		}
		token = access(secret)
		_, hasRefresh := secret.Data[v1alpha1.KeyRefreshToken]
		return token != before && token == access(of) && !hasRefresh, suite.Describe(w.get(name))
	})
	return token
}

// newClockWorld is a world in which GitHub's clock goes with the operator's. leap moves both.
func newClockWorld(t *testing.T) (w *world, leap func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w = newWorld(t, worldOptions{gh: githubtest.Options{Clock: now}, client: func(options *github.Options) { options.Now = now }})
	return w, func(d time.Duration) {
		ahead.Add(int64(d))
		w.meter.leap(d)
		w.touch("octocat")
		w.touch("octocat-alternate")
	}
}

func TestAlternateNoPublishedTokenEndsWithinTheOverlap(t *testing.T) {
	t.Parallel()
	w, leap := newClockWorld(t)
	before := w.start("octocat")
	w.alternates("octocat")
	second := w.published("octocat", "octocat-token-alternate", access(before))
	w.samePair(before, w.alive("octocat-token-primary"))
	w.presented(2)
	condition := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	if !strings.Contains(condition.Message, "second authorization") {
		t.Errorf("Authorized says nothing of the second authorization: %s", condition.Message)
	}
	if name := w.get("octocat").Status.SecretName; name != "octocat-token" {
		t.Errorf("the status names Secret %q, where workloads read octocat-token", name)
	}
	w.quiet()
	w.presented(2)

	// What was published is good until the other one was published for the overlap, and goes by turns.
	held, pairs := []string{access(before), second}, []string{"octocat-token-primary", "octocat-token-alternate"}
	for i := range 4 {
		leap(115 * time.Minute) // A little less than the overlap after it was published, and was seen.
		w.settle()
		w.presented(2 + i)
		leap(65 * time.Minute)
		next := w.published("octocat", pairs[i%2], held[len(held)-1])
		if last := held[len(held)-1]; !w.gh.Alive(last) {
			t.Fatalf("turn %d: the token that was published until now is dead", i)
		}
		if w.gh.Alive(held[len(held)-2]) {
			t.Errorf("turn %d: the token before the last one is alive, so that its chain was not exchanged", i)
		}
		held = append(held, next)
		w.settle()
		w.presented(3 + i)
		// A restart finds both as they are, whichever is published, and exchanges nothing.
		then := w.meter.read()
		w.restart()
		w.settle()
		writes, _, _ := w.meter.since(then)
		if writes = slices.DeleteFunc(writes, func(write string) bool { return !strings.Contains(write, "/secrets/") }); len(writes) > 0 {
			t.Errorf("turn %d: after a restart was written %v", i, writes)
		}
		w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
		w.condition("octocat-alternate", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
		w.presented(3 + i)
	}
	w.quiet()
}

func TestAlternateGoesOnWithOneWhenTheOtherEnds(t *testing.T) {
	t.Parallel()
	w, leap := newClockWorld(t)
	before := w.start("octocat")
	w.alternates("octocat")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.CheckInterval = &metav1.Duration{Duration: time.Hour}
	})
	second := w.published("octocat", "octocat-token-alternate", access(before))
	w.settle()
	// The second one, which is published, ends at GitHub. When that is noticed the first one is published in its place, without an exchange.
	if !w.gh.Revoke(second) {
		t.Fatal("the second token was dead already")
	}
	isPublished := func() bool {
		secret := w.find("octocat-token")
		return secret != nil && access(secret) == access(before)
	}
	for range 9 { // Before the first one's turn.
		if isPublished() {
			break
		}
		leap(15 * time.Minute)
		w.settle()
	}
	if !isPublished() {
		t.Fatalf("the token of the first authorization is not published again: %s", suite.Describe(w.get("octocat-alternate")))
	}
	w.alive("octocat-token-primary")
	ready := w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	authorized := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonOneAuthorizationOnly)
	if !strings.Contains(authorized.Message, "octocat-alternate") || ready.Message == "" {
		t.Errorf("Authorized does not say which one is to be renewed: %s", authorized.Message)
	}
	w.settle()
	spent := len(w.gh.Presentations())
	// Alone it is exchanged when it is due, and published at once.
	leap(8 * time.Hour)
	alone := w.published("octocat", "octocat-token-primary", access(before))
	w.settle()
	w.presented(spent + 1)
	// A new login makes them two again.
	w.seed("octocat-second", "octocat")
	w.published("octocat", "octocat-token-alternate", alone)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, "")
	w.alive("octocat-token-primary")
	if !w.gh.Alive(alone) {
		t.Error("the token that was published before is dead")
	}
}

func TestAlternateBackToReplaceKeepsTheFirstPair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.alternates("octocat")
	w.published("octocat", "octocat-token-alternate", access(before))
	w.quiet()
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Rotation = nil })
	w.eventually("the pair to be in its place", func() (bool, string) {
		secret := w.find("octocat-token")
		return secret != nil && access(secret) == access(before) && refresh(secret) == refresh(before), suite.Describe(w.get("octocat"))
	})
	w.gone(w.resourceNamed("octocat-alternate"))
	w.gone(w.secretNamed("octocat-token-primary"))
	w.gone(w.secretNamed("octocat-token-alternate"))
	w.quiet()
	w.presented(2)
	w.alive("octocat-token")
}
