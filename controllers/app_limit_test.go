package controllers

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// The limit of a ClusterGitHubApp is that of all who use its host and client ID.
func TestAppLimitOfTheClusterBindsAllWhoUseIt(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.TokenRequestsPerHour = 2 })
	for _, name := range []string{"a", "b"} {
		w.startUsing(w.usingShared(name, shared)) // The first makes the App known, and the second is the one that may go at once.
	}
	w.request("a", "again")
	w.condition("a", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonRateLimited)
	w.changeApp(shared, func(spec *v1alpha1.ClusterGitHubAppSpec) { spec.TokenRequestsPerHour = 0 })
	w.refreshed("a", 2)
}

// That of a GitHubApp binds its own namespace, and nobody else: client IDs are public.
func TestAppLimitOfANamespaceSlowsNobodyElseDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{namespaces: 2})
	w.own("mine", func(spec *v1alpha1.GitHubAppSpec) { spec.TokenRequestsPerHour = 2 })
	for _, name := range []string{"a", "b"} {
		w.startUsing(w.using(name, v1alpha1.KindGitHubApp, "mine"))
	}
	w.request("a", "again")
	w.condition("a", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonRateLimited)
	tenant := w.namespace
	w.namespace = w.namespaces[1]
	w.start("c") // The same client ID, named inline in another namespace.
	for n := range 3 {
		w.request("c", fmt.Sprint(n))
		w.refreshed("c", int64(n)+2)
	}
	w.namespace = tenant
	w.refreshed("a", 2)
	w.eventually("the GitHubApp to say so", func() (bool, string) {
		text := describeAll(w.appStatus(v1alpha1.KindGitHubApp, "mine").Conditions)
		return containsAll(text, "tokenRequestsPerHour does not count"), text
	})
}

// A namespace that may not use an App slows nobody down by a GitHubApp of the same client ID.
func TestAppLimitOfABarredNamespaceSlowsNobodyDown(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{namespaces: 3})
	shared := w.offer("shared", nil)
	w.startUsing(w.usingShared("a", shared))
	tenant := w.namespace
	w.namespace = w.namespaces[1]
	w.own("slow", func(spec *v1alpha1.GitHubAppSpec) { spec.TokenRequestsPerHour = 1 })
	message := w.appCondition(v1alpha1.KindGitHubApp, "slow", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAppNotUsable)
	if strings.Contains(message, "share") {
		t.Errorf("it reads %q", message)
	}
	w.namespace = tenant
	for n := range 3 {
		w.request("a", fmt.Sprint(n))
		w.refreshed("a", int64(n)+2)
	}
}
