package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

func TestAppWithAnotherClientIDNeedsNewLoginsOfAllWhoUseIt(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	pairs := map[string]string{}
	for _, name := range []string{"octocat", "hubot"} {
		pairs[name] = access(w.startUsing(w.usingShared(name, shared)))
	}
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.ClientID = "Iv23liANOTHER" })
	for name, token := range pairs {
		w.condition(name, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
		if access(w.alive(name+"-token")) != token {
			t.Errorf("the pair of %s is another", name)
		}
	}
	w.presented(2)
}

// A client secret that GitHub does not take any more stops all, who are told nothing of it; the next one heals all at once.
func TestAppWithANewSecretHealsAllAtOnceAndTenantsLearnNothing(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	names := []string{"a", "b", "c"}
	for _, name := range names {
		w.startUsing(w.usingShared(name, shared))
	}
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonCredentialsAccepted)
	w.gh.UpdateApp(clientID, func(app *githubtest.App) { app.Secrets = []string{"another-secret-of-the-app-0123456789"} })
	for _, name := range names {
		w.request(name, "again")
	}
	for _, name := range names {
		w.eventually(name+" to say that the App is not usable", func() (bool, string) {
			return w.hasReason(name, v1alpha1.ReasonAppNotUsable), describeAll(w.get(name).Status.Conditions)
		})
	}
	// The administrator is told: what GitHub said of the secret when it was new counts no more.
	w.meter.leap(time.Minute)
	w.change(names[0], func(token *v1alpha1.GitHubUserToken) { token.Spec.Secret.Labels = v1alpha1.Labels{"looked-at": "anew"} })
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials)
	for _, text := range []string{"client secret", "client credentials", "github-app"} {
		w.tenantsDoNotRead(names, text)
	}
	tenant := w.namespace
	w.namespace = w.home()
	w.secret("github-app", map[string]string{"client_secret": "another-secret-of-the-app-0123456789"})
	w.namespace = tenant
	for _, name := range names {
		w.refreshed(name, 2)
	}
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonCredentialsAccepted)
}

// A Secret that is missing is nothing for tenants either.
func TestAppWithoutItsSecretIsNotUsableAndOnlyItsAdministratorLearnsWhy(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.ClientSecretRef.Name = "not-yet" })
	w.seed("octocat", "octocat")
	w.create(w.usingShared("octocat", shared))
	w.isNotUsable("octocat")
	w.tenantsDoNotRead([]string{"octocat"}, "not-yet")
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonClientSecretMissing)
	// A Secret of that name in the tenant's namespace is not looked at.
	w.secret("not-yet", map[string]string{"client_secret": clientSecret})
	w.quiet()
	w.presented(0)
	w.namespace = w.home()
	w.secret("not-yet", map[string]string{"client_secret": clientSecret})
	w.namespace = w.namespaces[0]
	w.ready("octocat")
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonUsable)
}
