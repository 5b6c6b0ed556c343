package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestAppStatusSaysWhetherGitHubTakesTheSecret(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionCredentialsValid, metav1.ConditionTrue, v1alpha1.ReasonCredentialsAccepted)
	w.appCondition(v1alpha1.KindClusterGitHubApp, shared, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonUsable)
	w.secret("wrong", map[string]string{"client_secret": "0000000000000000000000000000000000000000"})
	w.own("wrong", func(spec *v1alpha1.GitHubAppSpec) {
		spec.ClientID, spec.ClientSecretRef.Name = "Iv23liUNKNOWN", "wrong"
	})
	w.appCondition(v1alpha1.KindGitHubApp, "wrong", v1alpha1.ConditionCredentialsValid, metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials)
	w.appCondition(v1alpha1.KindGitHubApp, "wrong", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonIncorrectClientCredentials)
	w.changeOwn("wrong", func(spec *v1alpha1.GitHubAppSpec) { spec.Host = "elsewhere.example" })
	w.appCondition(v1alpha1.KindGitHubApp, "wrong", v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonHostNotAllowed)
	w.changeOwn("wrong", func(spec *v1alpha1.GitHubAppSpec) { spec.Host, spec.ClientSecretRef = w.site.Host, nil })
	message := w.appCondition(v1alpha1.KindGitHubApp, "wrong", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonUsable)
	if !strings.Contains(message, "device flow") {
		t.Errorf("without a client secret it says %q", message)
	}
}

// Two Apps with one host and client ID share GitHub's limit, whoever made them; the other's namespace is not named.
func TestAppStatusSaysThatTwoShareALimit(t *testing.T) {
	t.Parallel()
	w := newAppWorld(t, worldOptions{})
	shared := w.offer("shared", nil)
	w.own("mine", func(spec *v1alpha1.GitHubAppSpec) { spec.ClientSecretRef, spec.TokenRequestsPerHour = nil, 5 })
	for kind, name := range map[string]string{v1alpha1.KindClusterGitHubApp: shared, v1alpha1.KindGitHubApp: "mine"} {
		w.eventually(name+" to say so", func() (bool, string) {
			conditions := w.appStatus(kind, name).Conditions
			text := describeAll(conditions)
			return strings.Contains(text, "It shares its limit of token requests with another GitHubApp or ClusterGitHubApp") && !strings.Contains(text, w.namespace), text
		})
	}
	// In a namespace to which it is not offered nobody learns of it.
	w.namespace = w.home()
	w.own("theirs", func(spec *v1alpha1.GitHubAppSpec) { spec.ClientID, spec.ClientSecretRef = "Iv23liALONE", nil })
	w.offer("alone", func(spec *v1alpha1.ClusterGitHubAppSpec) {
		spec.ClientID, spec.ClientSecretRef, spec.InlineUse = "Iv23liALONE", nil, v1alpha1.InlineUnrestricted
	})
	message := w.appCondition(v1alpha1.KindGitHubApp, "theirs", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonUsable)
	w.quiet()
	if strings.Contains(message, "shares") {
		t.Errorf("it says %q", message)
	}
}
