package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// A policy that is tightened stops new exchanges, takes away what it forbids and nothing else, and revokes nothing.
func TestAppPolicyThatIsTightenedStopsExchangesAndRemovesWhatItForbids(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	token := w.usingShared("octocat", shared)
	token.Spec.Outputs = []v1alpha1.Output{
		{Name: "plain", Format: v1alpha1.OutputFormatNetrc}, {Name: "whole", Format: v1alpha1.OutputFormatOpaque, IncludeRefreshToken: true},
	}
	pair := w.startUsing(token)
	w.output("plain", access(pair))
	w.output("whole", access(pair))
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.Policy.IncludeRefreshToken = v1alpha1.PermissionForbidden
	})
	w.vanishes("whole")
	stalled := w.condition("octocat", v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAppPolicyViolated)
	w.says("octocat", v1alpha1.ConditionStalled, "output whole: includeRefreshToken is forbidden")
	if stalled.Message == "" {
		t.Error("nothing is said")
	}
	w.request("octocat", "again")
	w.observed("octocat")
	w.quiet()
	w.samePair(pair, w.alive("octocat-token"))
	w.output("plain", access(pair))
	w.presented(1)
	w.condition("octocat", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonTokenValid)

	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.Outputs = token.Spec.Outputs[:1] })
	w.refreshed("octocat", 2) // The request that was waiting.
	w.presented(2)
}

func TestAppThatIsNoLongerOfferedLeavesThePairAndNothingThatWasDerivedFromIt(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	token := w.usingShared("octocat", shared)
	token.Spec.Outputs = []v1alpha1.Output{{Name: "plain", Format: v1alpha1.OutputFormatNetrc}}
	pair := w.startUsing(token)
	w.output("plain", access(pair))
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{} })
	w.vanishes("plain")
	w.isNotUsable("octocat")
	w.request("octocat", "again")
	w.observed("octocat")
	w.quiet()
	w.samePair(pair, w.alive("octocat-token"))
	w.presented(1)

	// Another App in spec.app brings back nothing of this one's.
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.App = v1alpha1.App{Host: w.site.Host, ClientID: "Iv23liANOTHER"}
	})
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	w.quiet()
	w.absent("plain")
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.App = w.usingShared("octocat", shared).Spec.App })
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.AllowedNamespaces.From = v1alpha1.NamespacesAll })
	w.refreshed("octocat", 2)
	w.output("plain", access(w.pair("octocat-token")))
	w.presented(2)
}

func TestAppPolicyIsKeptFromTheBeginning(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.Policy.User = v1alpha1.UserRequired })
	w.seed("octocat", "octocat")
	w.create(w.usingShared("octocat", shared))
	w.says("octocat", v1alpha1.ConditionStalled, "spec.user must name the account")
	w.presented(0)
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) { token.Spec.User = &v1alpha1.UserSelector{Login: "octocat"} })
	w.ready("octocat")
}

// A deletion policy that is forbidden by then is not carried out: the pair goes, and lives on at GitHub.
func TestAppDeletionPolicyThatWasForbiddenIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	token := w.usingShared("octocat", shared)
	token.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRevoke
	pair := w.startUsing(token)
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.Policy.DeletionPolicies = []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete}
	})
	w.says("octocat", v1alpha1.ConditionStalled, "spec.deletionPolicy Revoke is not among Delete")
	resource := w.get("octocat")
	w.remove(resource)
	w.gone(resource)
	w.absent("octocat-token")
	if !w.gh.Alive(access(pair)) {
		t.Error("the pair was revoked")
	}
	if notes := w.eventsOf("octocat", v1alpha1.ReasonAppPolicyViolated); len(notes) == 0 {
		t.Error("no event tells of it")
	}
}

// Nor is it after spec.app was changed to an App that allows it: the pair is still of the one that forbids it.
func TestAppDeletionPolicyThatWasForbiddenIsNotCarriedOutByTheNameOfAnotherApp(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.Policy.DeletionPolicies = []v1alpha1.DeletionPolicy{v1alpha1.DeletionPolicyDelete}
	})
	w.startUsing(w.usingShared("octocat", shared))
	w.change("octocat", func(token *v1alpha1.GitHubUserToken) {
		token.Spec.App, token.Spec.DeletionPolicy = v1alpha1.App{Host: w.site.Host, ClientID: "Iv23liANOTHER"}, v1alpha1.DeletionPolicyRetain
	})
	w.condition("octocat", v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAppChanged)
	resource := w.get("octocat")
	w.remove(resource)
	w.gone(resource)
	w.absent("octocat-token")
	if notes := w.eventsOf("octocat", v1alpha1.ReasonAppPolicyViolated); len(notes) == 0 {
		t.Error("no event tells of it")
	}
}
