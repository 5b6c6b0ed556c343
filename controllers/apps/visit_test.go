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

// Whatever is wrong with the App of a visit, it is known to be one, so that it is refused and nobody waits at it.
func TestAppOfAVisitThatMayNotBeUsedIsOneOfAVisit(t *testing.T) {
	for name, change := range map[string]func(*standIn){
		"there is none":     func(s *standIn) { delete(s.offered, "shared") },
		"it is not offered": func(*standIn) {},
		"its policy wants users": func(s *standIn) {
			s.shared().Policy.User, s.labels["operator"] = v1alpha1.UserRequired, map[string]string{"team": "a"}
		},
		"it is one of many": func(s *standIn) { s.labels["operator"] = map[string]string{"team": "a"} }, // For which --require-user holds.
	} {
		s := newStandIn()
		change(s)
		visit := resource("operator", ref(v1alpha1.KindClusterGitHubApp, "shared"))
		visit.Name = v1alpha1.VisitPrefix + "x"
		app, err := New(Options{Source: s, SecretNamespace: "operator", RequireUser: true}).App(t.Context(), visit)
		if err != nil || app.Problem == nil || !app.OfVisit || app.Visit {
			t.Errorf("%s: %+v, %v", name, app, err)
		}
		visit.Name = "another"
		if app, err := New(Options{Source: s, SecretNamespace: "operator", RequireUser: true}).App(t.Context(), visit); err != nil || app.OfVisit {
			t.Errorf("%s: what is no visit is one: %v", name, err)
		}
	}
}
