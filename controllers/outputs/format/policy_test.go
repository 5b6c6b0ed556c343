package format

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// The policy of an App knows by the name of a format which registry an output is for when it names none.
func TestOutputThatIsForARegistryByDefaultIsJudgedByThePolicy(t *testing.T) {
	for name, d := range formats {
		output := &v1alpha1.Output{Name: "out", Format: name}
		isJudged := scope.ForbidsOutput(&v1alpha1.AppPolicy{OutputHosts: []string{"another.example.com"}}, output, v1alpha1.DefaultHost) != ""
		if isJudged != d.registry {
			t.Errorf("%s: it is for a registry by default: %t, and the policy looks at that: %t", name, d.registry, isJudged)
		}
	}
}
