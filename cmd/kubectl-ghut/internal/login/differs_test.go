package login

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Whoever names an account is told whether the resource that is there names another, or none.
func TestNewSaysWhichAccountTheResourceThatIsThereNames(t *testing.T) {
	for account, want := range map[string]string{"": "no account in spec.user", "hubot": "another account in spec.user", "Octocat": ""} {
		there := &v1alpha1.GitHubUserToken{}
		if account != "" {
			there.Spec.User = &v1alpha1.UserSelector{Login: account}
		}
		n := New{Account: "octocat"}
		if got := n.Differs(&v1alpha1.GitHubUserToken{}, there); got != want {
			t.Errorf("%q: %q, want %q", account, got, want)
		}
	}
}
