package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
)

// A token is of no use at another GitHub, and whoever runs that one would see it.
func TestOutputOffersNoTokenToAnotherGitHub(t *testing.T) {
	const docker, basic, git, netrc, gh = v1alpha1.OutputFormatDockerConfigJSON, v1alpha1.OutputFormatBasicAuth,
		v1alpha1.OutputFormatGitCredentials, v1alpha1.OutputFormatNetrc, v1alpha1.OutputFormatGitHubCLI
	for _, test := range []struct {
		host string
		spec v1alpha1.Output
		says string // Empty where it is rendered.
	}{
		{"octocorp.ghe.com", v1alpha1.Output{Format: docker, Registry: "ghcr.io"}, "the registry is of github.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: docker, Registry: "ghcr.io:443"}, "the registry is of github.com"},
		{"github.example.com", v1alpha1.Output{Format: docker, Registry: "ghcr.io"}, "must not be shown a token of github.example.com"},
		{"github.example.com", v1alpha1.Output{Format: docker, Registry: "docker.pkg.github.com"}, "the registry is of github.com"},
		{"github.com", v1alpha1.Output{Format: docker, Registry: "containers.octocorp.ghe.com"}, "the registry is of octocorp.ghe.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: docker, Registry: "containers.other.ghe.com"}, "the registry is of other.ghe.com"},
		{"10.1.2.3", v1alpha1.Output{Format: docker}, "set registry"},
		{"[2001:db8::1]:8443", v1alpha1.Output{Format: docker}, "set registry"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: docker, Registry: "containers.octocorp.ghe.com"}, ""},

		{"octocorp.ghe.com", v1alpha1.Output{Format: basic, Host: "github.com"}, "the host is of github.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: basic, URL: "https://GitHub.com/octocat/app"}, "the url is of github.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: basic, URL: "https://github.com.:443/octocat/app"}, "the url is of github.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: basic, URL: `https://github.com\.octocorp.ghe.com`}, "has no host"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: basic, URL: "https://octocorp.ghe.com/octocat/app"}, ""},
		{"github.com", v1alpha1.Output{Format: basic, URL: "https://github.com.example.com/octocat/app"}, ""},
		{"github.example.com", v1alpha1.Output{Format: git, Host: "gist.github.com"}, "the host is of github.com"},
		{"github.com", v1alpha1.Output{Format: git, Host: "gist.github.com"}, ""},
		{"github.example.com", v1alpha1.Output{Format: git, Host: "gist.github.example.com"}, ""},
		{"octocorp.ghe.com", v1alpha1.Output{Format: netrc, Host: "api.github.com"}, "the host is of github.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: netrc, Host: "api.octocorp.ghe.com"}, ""},
		{"github.com", v1alpha1.Output{Format: netrc, Host: "api.github.com"}, ""},
		{"github.com", v1alpha1.Output{Format: netrc, Host: "raw.githubusercontent.com"}, ""},
		{"octocorp.ghe.com", v1alpha1.Output{Format: netrc, Host: "raw.githubusercontent.com"}, "the host is of github.com"},
		{"octocorp.ghe.com", v1alpha1.Output{Format: gh, Host: "github.com"}, "the host is of github.com"},
		{"github.com", v1alpha1.Output{Format: gh, Host: "octocorp.ghe.com"}, "the host is of octocorp.ghe.com"},
		{"github.com:8443", v1alpha1.Output{Format: gh}, ""},
	} {
		t.Run(fmt.Sprintf("%s of %s for %s", test.spec.Format, test.host, test.spec.Registry+test.spec.Host+test.spec.URL), func(t *testing.T) {
			test.spec.Name = "out"
			rendered, err := format.Render(test.spec, newPair(accessToken, refreshToken), format.Defaults{AppHost: test.host})
			if test.says == "" {
				if err != nil || len(rendered.Data) == 0 {
					t.Errorf("it is not rendered: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || rendered.Data != nil {
				t.Fatalf("err = %v, want one that says %q", err, test.says)
			}
			wantNoToken(t, err.Error(), accessToken, refreshToken)
		})
	}
}

// Of no format does the token of an Enterprise's host stand beside a host of github.com, whatever it is by default.
func TestOutputNamesTheHostOfItsTokenByDefault(t *testing.T) {
	for _, host := range []string{"octocorp.ghe.com", "github.example.com", "github.example.com:8443"} {
		for _, shape := range formats {
			rendered := render(t, v1alpha1.Output{Format: shape}, newPair(accessToken, refreshToken), format.Defaults{AppHost: host})
			for key, value := range rendered.Data {
				for _, foreign := range []string{"github.com", "ghcr.io", "githubusercontent.com"} {
					if strings.Contains(string(value), foreign) {
						t.Errorf("%s for %s speaks of %s under the key %s", shape, host, foreign, key)
					}
				}
			}
		}
	}
}
