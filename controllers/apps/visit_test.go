package apps

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestAppOfTheLoginPagesVisitsIsOfferedToItsNamespaceAlone(t *testing.T) {
	named := func(namespace string) v1alpha1.AllowedNamespaces {
		return v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{namespaceName: namespace}}}
	}
	with := func(change func(*v1alpha1.AllowedNamespaces)) v1alpha1.AllowedNamespaces {
		allowed := named("own")
		change(&allowed)
		return allowed
	}
	for name, c := range map[string]struct {
		allowed v1alpha1.AllowedNamespaces
		is      bool
	}{
		"to it":                {named("own"), true},
		"to another":           {named("team-a"), false},
		"to all":               {v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}, false},
		"to none":              {v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesNone}, false},
		"by a selector of all": {v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{}}, false},
		"by a label beside it": {with(func(a *v1alpha1.AllowedNamespaces) { a.Selector.MatchLabels["team"] = "a" }), false},
		"by an expression": {with(func(a *v1alpha1.AllowedNamespaces) {
			a.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a"}}
		}), false},
		"by another label only": {v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "own"}}}, false},
	} {
		if got := isOne(c.allowed, "own"); got != c.is {
			t.Errorf("%s: %t", name, got)
		}
	}
}
