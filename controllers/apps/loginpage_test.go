package apps

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Whoever offers an App says which namespace may ask for which accounts, by default none; that binds every use of its host and
// client ID. Of another App a namespace may ask for any.
func TestAppSaysWhichAccountsANamespaceMayAskToLogInByTheLoginPage(t *testing.T) {
	all := v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}
	teamB := v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "b"}}}
	teamA := v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}}
	broken := v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Operator: "x"}}}}
	for name, c := range map[string]struct {
		app     v1alpha1.App
		change  func(*standIn)
		allowed []v1alpha1.AllowedAccounts
		want    string // the logins; "any" where there is no bound
	}{
		"by default none":                       {app: toShared},
		"where the namespace is selected":       {app: toShared, allowed: []v1alpha1.AllowedAccounts{{Namespaces: teamA, Logins: []string{"octocat"}}}, want: "octocat"},
		"not where another one is":              {app: toShared, allowed: []v1alpha1.AllowedAccounts{{Namespaces: teamB, Logins: []string{"octocat"}}}},
		"those of each entry":                   {app: toShared, allowed: []v1alpha1.AllowedAccounts{{Namespaces: teamA, Logins: []string{"octocat"}}, {Namespaces: teamB, Logins: []string{"mona"}}, {Namespaces: all, Logins: []string{"hubot"}}}, want: "octocat hubot"},
		"a selector that is malformed has none": {app: toShared, allowed: []v1alpha1.AllowedAccounts{{Namespaces: broken, Logins: []string{"octocat"}}}},
		"no namespaces":                         {app: toShared, allowed: []v1alpha1.AllowedAccounts{{Namespaces: v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesNone}, Logins: []string{"octocat"}}}},
		"inline as well":                        {app: inline(host, clientID), allowed: []v1alpha1.AllowedAccounts{{Namespaces: all, Logins: []string{"octocat"}}}, want: "octocat"},
		"inline, by default none":               {app: inline(host, clientID)},
		"by a GitHubApp of the same client ID": {app: toOwn, change: func(s *standIn) {
			for _, own := range s.own {
				own.Spec.ClientID = clientID
			}
		}},
		"inline, of two Apps": {app: inline(host, clientID), change: func(s *standIn) {
			second := s.offered["shared"].DeepCopy()
			second.Spec.LoginPage.AllowedAccounts = []v1alpha1.AllowedAccounts{{Namespaces: all, Logins: []string{"mona"}}}
			s.offered["second"] = second
		}, allowed: []v1alpha1.AllowedAccounts{{Namespaces: all, Logins: []string{"octocat"}}}, want: "mona octocat"},
		"inline, where it binds nobody": {app: inline(host, clientID), change: func(s *standIn) { s.shared().InlineUse = v1alpha1.InlineUnrestricted }, want: "any"},
		"of a GitHubApp any":            {app: toOwn, want: "any"},
		"of another App inline any":     {app: inline("", "Iv23liINLINE"), want: "any"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn()
			if c.change != nil {
				c.change(s)
			}
			s.shared().LoginPage.AllowedAccounts = c.allowed
			token := resource("team-a", c.app)
			token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
			app := resolve(t, s, token)
			if app.Problem != nil {
				t.Fatal(app.Problem)
			}
			got := "any"
			if app.LoginPage != nil {
				var logins []string
				for _, accounts := range *app.LoginPage {
					logins = append(logins, accounts.Logins...)
				}
				if strings.Contains(name, "two Apps") {
					slices.Sort(logins)
				}
				got = strings.Join(logins, " ")
			}
			if got != c.want {
				t.Errorf("it may ask for %q, want %q", got, c.want)
			}
		})
	}
}

// failingLabels is a Source that cannot tell the labels of namespaces.
type failingLabels struct{ *standIn }

var errLabels = errors.New("the cache has not begun")

func (failingLabels) NamespaceLabels(context.Context, string) (map[string]string, error) {
	return nil, errLabels
}

func TestAppLoginPageIsNotGuessedAtWhereTheLabelsOfANamespaceAreNotKnown(t *testing.T) {
	s := newStandIn()
	s.shared().AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll}
	s.shared().LoginPage.AllowedAccounts = []v1alpha1.AllowedAccounts{{Logins: []string{"*"}, Namespaces: v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{}}}}
	token := resource("team-a", toShared)
	token.Spec.Login = &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}}
	failing := &failingLabels{s}
	if _, err := New(Options{Source: failing}).App(t.Context(), token); !errors.Is(err, errLabels) {
		t.Errorf("got %v", err)
	}
}
