package scope

import (
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// What an output is for by default is judged like what it names, however the App's host is spelt.
func TestPolicyOutputHostsAreThoseThatAnOutputIsFor(t *testing.T) {
	const docker, netrc = v1alpha1.OutputFormatDockerConfigJSON, v1alpha1.OutputFormatNetrc
	for name, c := range map[string]struct {
		host, allowed string
		output        v1alpha1.Output
		want          string
	}{
		"ghcr.io by default":                    {"github.com", "elsewhere.example", v1alpha1.Output{Format: docker}, "the host ghcr.io is forbidden"},
		"where no host is said either":          {"", "elsewhere.example", v1alpha1.Output{Format: docker}, "the host ghcr.io is forbidden"},
		"ghcr.io is allowed":                    {"GitHub.com:443", "ghcr.io", v1alpha1.Output{Format: docker}, ""},
		"the registry of an Enterprise Server":  {"github.example.com/api/v3", "ghcr.io", v1alpha1.Output{Format: docker}, "the host containers.github.example.com is forbidden"},
		"it is allowed":                         {"github.example.com/api/v3", "containers.github.example.com", v1alpha1.Output{Format: docker}, ""},
		"an address has none":                   {"10.1.2.3", "ghcr.io", v1alpha1.Output{Format: docker}, ""},
		"another format is for the App's host":  {"github.com", "elsewhere.example", v1alpha1.Output{Format: netrc}, ""},
		"the App's own host, in another format": {"github.example.com/api/v3", "ghcr.io", v1alpha1.Output{Format: netrc, Host: "github.example.com"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ForbidsOutput(&v1alpha1.AppPolicy{OutputHosts: []string{c.allowed}}, &c.output, c.host); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
