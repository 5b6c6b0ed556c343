package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

func TestAppDeletionWaitsForThoseWhoUseItAndNotForOthers(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{namespaces: 3})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.Policy.User = v1alpha1.UserRequired })
	token := w.usingShared("octocat", shared)
	token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"}
	w.startUsing(token)
	// Neither a resource that the policy refuses holds it, nor one of a namespace to which it is not offered.
	w.seed("refused", "hubot")
	w.create(w.usingShared("refused", shared))
	w.condition("refused", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAppPolicyViolated)
	w.namespace = w.namespaces[1]
	w.seed("elsewhere", "monalisa")
	w.create(w.usingShared("elsewhere", shared))
	w.isNotUsable("elsewhere")
	w.namespace = w.namespaces[0]
	w.eventually("the users to be counted", func() (bool, string) {
		status := w.appStatus(v1alpha1.KindClusterGitHubApp, shared)
		return status.Tokens == 1 && status.Accounts == 1 && status.LastUseTime != nil, describeAll(status.Conditions)
	})

	w.remove(w.clusterApp(shared))
	message := w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInUse)
	if !strings.Contains(message, "the one GitHubUserToken that uses it") || strings.Contains(message, w.namespace) {
		t.Errorf("said is %q", message)
	}
	w.request("octocat", "again") // It goes on meanwhile.
	w.refreshed("octocat", 2)
	w.remove(w.get("octocat"))
	w.gone(w.resourceNamed("octocat"))
	w.gone(w.clusterApp(shared))
	w.isNotUsable("refused")
}

func TestAppOfTheNamespaceWaitsForThoseWhoUseIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.own("mine", nil)
	w.startUsing(w.using("octocat", v1alpha1.KindGitHubApp, "mine"))
	app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine"}}
	w.remove(app)
	w.appCondition(v1alpha1.KindGitHubApp, "mine", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInUse)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App = w.resource("octocat").Spec.App })
	w.gone(app) // The same App, named in another way: the pair goes on.
	w.request("octocat", "again")
	w.refreshed("octocat", 2)
}

// A resource that only others hold any more shows no code that nobody asks about, and holds no App.
func TestAppDeletionDoesNotWaitForAResourceThatOthersHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{app: deviceApp()})
	w.own("mine", nil)
	token := w.using("octocat", v1alpha1.KindGitHubApp, "mine")
	token.Spec.RefreshTokenRef, token.Spec.Login = nil, suite.DeviceLogin()
	token.Finalizers = []string{"example.com/mine"}
	w.create(token)
	t.Cleanup(func() { w.force(w.resourceNamed("octocat")) })
	code := w.code("octocat")
	app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "mine"}}
	w.remove(app)
	w.appCondition(v1alpha1.KindGitHubApp, "mine", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonInUse)
	w.remove(w.resourceNamed("octocat"))
	w.eventually("the code to be shown no more", func() (bool, string) {
		now := w.get("octocat")
		told := describeAll(now.Status.Conditions)
		return now.Status.Authorization == nil && !strings.Contains(told, code), told
	})
	w.noCode("octocat")
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPending)
	w.says("octocat", v1alpha1.ConditionReady, "others have taken their finalizers off")
	w.gone(app)
}
