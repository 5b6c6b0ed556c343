package controllers

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const saysUnpinned = "spec.user names no account"

// withRequireUser restarts the operator with --require-user.
func (w *world) withRequireUser() {
	w.t.Helper()
	w.stop()
	w.options.controller = func(options *Options) { options.RequireUser = true }
	w.startOperator(w.options)
}

// A pair that is there when the operator begins to ask for accounts stays, with what was derived from it, and goes on when the
// account is named.
func TestUserRequiredStopsExchangesAndLeavesThePair(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.Outputs = []v1alpha1.Output{{Name: "plain", Format: v1alpha1.OutputFormatNetrc}}
	w.create(token)
	pair := w.ready("octocat")
	w.account("octocat")
	w.output("plain", access(pair))

	w.withRequireUser()
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUserRequired)
	w.request("octocat", "again")
	w.observed("octocat")
	w.quiet()
	w.samePair(pair, w.alive("octocat-token"))
	w.output("plain", access(pair))
	w.presented(1)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonRefreshTokenValid)

	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	w.refreshed("octocat", 2) // The request that was waiting.
	w.presented(2)
}

func TestUserRequiredNobodyLogsInWithoutOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp()})
	w.create(w.withoutSeed("coded"))
	code := w.code("coded")
	w.withRequireUser()
	w.seed("seeded", "octocat")
	w.create(w.resource("seeded"))
	w.create(w.withoutSeed("another"))
	for _, name := range []string{"seeded", "coded", "another"} {
		w.condition(name, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUserRequired)
		w.condition(name, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUserRequired)
		if w.get(name).Status.Authorization != nil {
			t.Errorf("%s shows a code", name)
		}
	}
	w.enter(code, "mona") // Somebody has seen it before.
	w.quiet()
	w.presented(0)
	w.condition("coded", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUserRequired)

	for _, name := range []string{"seeded", "coded"} {
		w.change(name, func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	}
	w.ready("seeded")
	w.says("coded", v1alpha1.ConditionAuthorized, "signed in as octocat")
	w.enter(w.code("coded", code), "octocat")
	w.ready("coded")
}

// What is deleted has no more exchanges, so that its deletion policy is carried out.
func TestUserRequiredDoesNotKeepADeletionFromRevoking(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.seed("octocat", "octocat")
	token := w.resource("octocat")
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	w.create(token)
	pair := w.ready("octocat")
	w.withRequireUser()
	w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUserRequired)
	resource := w.get("octocat")
	w.remove(resource)
	w.gone(resource)
	if w.gh.Alive(access(pair)) || w.gh.Alive(refresh(pair)) {
		t.Error("the pair lives on")
	}
}

// Who looks at a resource by whose codes anybody can log in reads so, as long as that is so, and Ready is about the token.
func TestUserThatIsNotNamedIsToldOfBesideTheCodeAndTheChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp()})
	ready := func() string {
		return meta.FindStatusCondition(w.get("octocat").Status.Conditions, v1alpha1.ConditionReady).Message
	}
	w.create(w.withoutSeed("octocat"))
	code := w.code("octocat")
	w.says("octocat", v1alpha1.ConditionAuthorized, saysUnpinned)
	if said := ready(); strings.Contains(said, saysUnpinned) {
		t.Errorf("Ready says %q", said)
	}
	w.enter(code, "octocat")
	w.ready("octocat")
	w.says("octocat", v1alpha1.ConditionAuthorized, saysUnpinned)
	if said := ready(); strings.Contains(said, saysUnpinned) {
		t.Errorf("Ready says %q", said)
	}
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	w.eventually("Authorized to say no more of it", func() (bool, string) {
		said := meta.FindStatusCondition(w.get("octocat").Status.Conditions, v1alpha1.ConditionAuthorized).Message
		return !strings.Contains(said, saysUnpinned), said
	})
	w.seed("seeded", "octocat")
	w.create(w.resource("seeded"))
	w.ready("seeded")
	if said := meta.FindStatusCondition(w.get("seeded").Status.Conditions, v1alpha1.ConditionAuthorized).Message; strings.Contains(said, saysUnpinned) {
		t.Errorf("of a resource that nobody logs in to by a code it is said: %q", said)
	}
}
