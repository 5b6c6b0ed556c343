package output_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/output"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestKeysAreThoseThatRenderWrites(t *testing.T) {
	permanent := newPair(accessToken, "")
	permanent.State.ExpiresAt = time.Time{}
	for _, spec := range []v1alpha1.Output{
		{Format: v1alpha1.OutputFormatOpaque},
		{Format: v1alpha1.OutputFormatOpaque, Key: "GITHUB_TOKEN", IncludeRefreshToken: true},
		{Format: v1alpha1.OutputFormatBasicAuth},
		{Format: v1alpha1.OutputFormatDockerConfigJSON},
		{Format: v1alpha1.OutputFormatGitCredentials},
		{Format: v1alpha1.OutputFormatNetrc, Key: "netrc"},
		{Format: v1alpha1.OutputFormatGitHubCLI},
		{Format: v1alpha1.OutputFormatGitHubCLI, Key: "gh.yml"},
	} {
		for name, from := range map[string]*rotation.Pair{"expiring": newPair(accessToken, refreshToken), "permanent": permanent} {
			t.Run(string(spec.Format)+spec.Key+"/"+name, func(t *testing.T) {
				rendered := render(t, spec, from, output.Defaults{})
				want := slices.Sorted(maps.Keys(rendered.Data))
				if got := output.Keys(spec, metadataOnly(from), output.Defaults{}); !slices.Equal(got, want) {
					t.Errorf("Keys are %v, Render writes %v", got, want)
				}
			})
		}
	}
}

func TestAURLOfItsOwnIsForOneRepository(t *testing.T) {
	const repository = "https://github.com/octocat/hello-world.git"
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatBasicAuth, URL: repository}
	rendered := render(t, spec, newPair(accessToken, refreshToken), output.Defaults{})
	wantData(t, rendered, map[string]string{"username": "x-access-token", "password": accessToken, "url": repository})

	pair := metadataOnly(newPair(accessToken, refreshToken))
	without := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatBasicAuth}
	if output.Fingerprint(spec, pair, output.Defaults{}) == output.Fingerprint(without, pair, output.Defaults{}) {
		t.Error("a change of the url goes unnoticed")
	}
	for _, bad := range []string{"http://github.com", "https://a:b@github.com/x", "https://github.com/a b", "https://github.com/\nx", "https://"} {
		spec.URL = bad
		if _, err := output.Render(spec, newPair(accessToken, refreshToken), output.Defaults{}); err == nil {
			t.Errorf("the url %q is taken", bad)
		}
	}
}
