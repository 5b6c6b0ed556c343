package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// Tools that copy Secrets (a PushSecret with its ExternalSecret, replicators) bring the pair's refresh token into a seed: the
// one of today, or a former one, for they are late.

// push writes a refresh token into a seed, as such a tool does.
func (w *world) push(name, token string) {
	w.t.Helper()
	w.secret(name+"-seed", map[string]string{"refresh_token": token})
}

func TestSeedPairThatIsFedBackAsASeedIsRecognised(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	first := refresh(w.start("octocat"))
	rotate := func(to int64) string {
		w.request("octocat", string(rune('0'+to)))
		w.refreshed("octocat", to)
		return refresh(w.ready("octocat"))
	}
	w.push("octocat", first)
	w.says("octocat", v1alpha1.ConditionAuthorized, seeds.FedBack)
	second := rotate(2) // The seed holds the one before now, which is spent.
	w.quiet()
	w.presented(2)
	w.push("octocat", second)
	third := rotate(3)
	w.push("octocat", first) // And one before that.
	w.settle()
	w.says("octocat", v1alpha1.ConditionAuthorized, seeds.FedBack)
	w.presented(3)
	w.restart()
	w.quiet()
	w.says("octocat", v1alpha1.ConditionAuthorized, seeds.FedBack)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)
	w.presented(3)

	// A login is one all the same, and what comes late of the chain before it takes nothing back.
	login := w.seed("octocat", "octocat")
	w.eventually("the login", func() (bool, string) { return w.gh.ExchangesOf(login) == 1, suite.Describe(w.get("octocat")) })
	w.refreshed("octocat", 1)
	w.settle()
	if message := w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, "").Message; strings.Contains(message, seeds.FedBack) {
		t.Errorf("after a login Authorized still says %q", message)
	}
	w.push("octocat", third)
	w.says("octocat", v1alpha1.ConditionAuthorized, seeds.FedBack)
	w.quiet()
	w.presented(4)
}

func TestSeedTokenOfADeadChainThatIsFedBackIsNotPresented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	first := refresh(w.start("octocat"))
	w.request("octocat", "1")
	w.refreshed("octocat", 2)
	last := refresh(w.ready("octocat"))
	w.gh.Revoke(last)
	w.request("octocat", "2")
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonRefreshTokenRejected)
	w.presented(3)
	for _, token := range []string{first, last} {
		w.push("octocat", token)
		w.says("octocat", v1alpha1.ConditionAuthorized, seeds.FedBack)
		w.quiet()
		w.presented(3)
	}
	w.seed("octocat", "octocat")
	w.ready("octocat")
	w.presented(4)
}

// The token of another resource stays that one's when it has spent it, and nobody is told what there is in other namespaces.
func TestSeedPairOfAnotherResourceThatIsFedToASeedIsNotPresented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2})
	token := refresh(w.start("octocat"))
	w.settle()
	w.push("hubot", token)
	w.create(w.resource("hubot"))
	owner := w.namespace
	w.namespace = w.namespaces[1]
	w.push("hubot", token)
	w.create(w.resource("hubot"))
	check := func(presented int) {
		t.Helper()
		w.namespace = owner
		w.refused("hubot", w.inUse("octocat"))
		w.namespace = w.namespaces[1]
		w.refused("hubot", refusal{reason: v1alpha1.ReasonRefreshTokenInUse, says: "A GitHubUserToken of another namespace owns this refresh token or has spent it"})
		if told := suite.Describe(w.get("hubot")); strings.Contains(told, owner) || strings.Contains(told, "octocat") {
			t.Errorf("it is told what there is in another namespace: %s", told)
		}
		w.quiet()
		w.presented(presented)
	}
	check(1)
	for i := range int64(2) {
		w.namespace = owner
		w.request("octocat", string(rune('1'+i)))
		w.refreshed("octocat", 2+i)
		check(2 + int(i))
	}
	w.restart()
	check(3)
}
