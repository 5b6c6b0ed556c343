package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/revocation"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// counted is what the counter of a name shows for one value of its label. All operators of the suite count on it.
func counted(t *testing.T, name, value string) (sum float64) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	_ = err // The registry may hold figures of an operator of another test that has ended; the counters are there.
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if labels := metric.GetLabel(); family.GetName() == name && len(labels) == 1 && labels[0].GetValue() == value {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// A person revokes the App at GitHub, and authorizes it again by the code that is offered then.
func TestDeviceFlowRevokedGrantIsNoticedWithinTheIntervalAndRepairedByACode(t *testing.T) {
	t.Parallel()
	w := withDevice(t, 0)
	token := w.withoutSeed("octocat")
	token.Spec.CheckInterval = &metav1.Duration{Duration: checkEvery}
	w.create(token)
	w.enter(w.code("octocat"), "octocat")
	before := w.ready("octocat")
	w.account("octocat")
	w.meter.leap(2 * youngToken)
	w.touch("octocat")
	dead := counted(t, "githubusertoken_token_checks_total", "dead")
	revoked := time.Now()
	w.gh.RevokeGrant(clientID, "octocat")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRevoked)
	t.Logf("noticed after %s of at most %s, and what the machine adds", time.Since(revoked).Round(time.Millisecond), checkEvery)
	if now := counted(t, "githubusertoken_token_checks_total", "dead"); now < dead+2 {
		t.Errorf("the metric counts %v answers, want two", now-dead)
	}
	w.samePair(before, w.pair("octocat-token"))
	w.says("octocat", v1alpha1.ConditionAuthorized, "The authorization was revoked at GitHub.")
	w.enter(w.code("octocat"), "octocat")
	after := w.ready("octocat")
	if access(after) == access(before) {
		t.Error("the Secret still holds the token that was revoked")
	}
	w.noCode("octocat")
	w.presented(1)
}

// GitHub refuses for good: nothing is gained by asking again, and the resource goes at once.
func TestDeviceFlowRevocationThatGitHubRefusesHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	pair := w.revocable("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App.ClientSecretRef = nil })
	refused := w.gh.Inject(githubtest.RESTError(422, "Validation Failed").At(githubtest.RevokeEndpoint).Always())
	givenUp := counted(t, "githubusertoken_revocations_total", "given_up")
	w.remove(w.resourceNamed("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.secretNamed("octocat-token"))
	if n := refused.Hits(); n != 1 {
		t.Errorf("GitHub was asked %d times", n)
	}
	w.eventually("the event", func() (bool, string) {
		return len(w.eventsOf("octocat", revocation.EventRevocationFailed)) == 1, "there is none"
	})
	if now := counted(t, "githubusertoken_revocations_total", "given_up"); now <= givenUp {
		t.Error("the metric does not count it")
	}
	if !w.gh.Alive(access(pair)) {
		t.Error("the token is dead although GitHub refused")
	}
}

func TestDeviceFlowWrongClientSecretIsNoReasonForACode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp()})
	seed := w.seed("octocat", "octocat")
	w.secret("github-app", map[string]string{"client_secret": "wrong"})
	token := w.resource("octocat")
	token.Spec.Login = suite.DeviceLogin()
	w.create(token)
	w.refused("octocat", refusal{reason: v1alpha1.ReasonIncorrectClientCredentials, says: "correct the client ID or the client secret", retried: true})
	w.quiet()
	if waiting := w.gh.PendingDevices(); len(waiting) != 0 || !w.gh.Alive(seed) {
		t.Errorf("%d codes were asked for, although the seed is as good as before", len(waiting))
	}
	w.noCode("octocat")
	w.secret("github-app", map[string]string{"client_secret": clientSecret})
	w.ready("octocat")
	w.presented(2)
}
