package controllers

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

func TestMoveOfThePairWhenItsSecretIsGivenAnotherName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	rename := func(name string) {
		w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = name })
	}
	moved := func(name string) {
		w.eventually("the pair to stand in "+name, func() (bool, string) {
			token := w.get("octocat")
			return token.Status.SecretName == name, suite.Describe(token)
		})
		w.samePair(before, w.alive(name))
	}
	rename("elsewhere")
	moved("elsewhere")
	w.gone(w.secretNamed("octocat-token"))
	w.quiet()
	w.presented(1)

	// Under the new name the chain goes on, and a restart finds it there.
	w.restart()
	w.quiet()
	w.presented(1)
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	before = w.alive("elsewhere")
	w.presented(2)

	// A name that is taken is not touched: the pair stays where it is, works, and is refreshed there.
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "taken"}, StringData: map[string]string{"a": "b"}})
	rename("taken")
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNotOwned)
	if !strings.Contains(stalled.Message, `Until then the pair stays in Secret "elsewhere"`) {
		t.Errorf("the message does not say where the pair is: %s", stalled.Message)
	}
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.samePair(before, w.alive("elsewhere"))
	w.request("octocat", "2")
	w.refreshed("octocat", 3)
	before = w.alive("elsewhere")
	w.presented(3)
	if data := w.pair("taken").Data; len(data) != 1 {
		t.Error("the Secret of somebody else was touched")
	}
	w.remove(w.secretNamed("taken"))
	moved("taken")
	w.gone(w.secretNamed("elsewhere"))
	w.quiet()
	w.presented(3)
}

// However long the name was taken: the pair does not wait for the next try, of which there are few by then.
func TestMoveOfThePairAsSoonAsTheNameThatItWaitsForIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "taken"}, StringData: map[string]string{"a": "b"}})
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "taken" })
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNotOwned)
	for range 12 { // Each time it is tried again, and then put off for longer.
		w.meter.leap(6 * time.Minute)
		w.touch("octocat")
		w.settle()
	}
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretNotOwned)
	w.quiet()
	w.samePair(before, w.alive("octocat-token"))
	w.remove(w.secretNamed("taken"))
	w.eventually("the pair to stand in taken", func() (bool, string) {
		token := w.get("octocat")
		return token.Status.SecretName == "taken", suite.Describe(token)
	})
	w.samePair(before, w.alive("taken"))
	w.gone(w.secretNamed("octocat-token"))
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	if token := w.get("octocat"); hasReason(token, v1alpha1.ReasonSecretNotOwned) {
		t.Errorf("it is still reported: %s", suite.Describe(token))
	}
	w.quiet()
	w.presented(1)
}

func TestMoveThatWasCutShortIsFinishedWithoutAnExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	before := w.start("octocat")
	w.stop()
	// As after a crash between the two steps: both Secrets exist.
	half := before.DeepCopy()
	half.Name, half.ResourceVersion, half.UID = "elsewhere", "", ""
	w.create(half)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Name = "elsewhere" })
	w.startOperator(w.options)
	w.gone(w.secretNamed("octocat-token"))
	w.samePair(before, w.alive("elsewhere"))
	w.quiet()
	w.presented(1)

	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("elsewhere"))
}
