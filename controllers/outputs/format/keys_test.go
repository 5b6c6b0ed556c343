package format_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestOutputKeysAreThoseThatRenderWrites(t *testing.T) {
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
		{Format: v1alpha1.OutputFormatHeader},
		{Format: v1alpha1.OutputFormatHeader, Key: "credential"},
	} {
		for name, from := range map[string]*rotation.Pair{"expiring": newPair(accessToken, refreshToken), "permanent": permanent} {
			t.Run(string(spec.Format)+spec.Key+"/"+name, func(t *testing.T) {
				rendered := render(t, spec, from, format.Defaults{})
				want := slices.Sorted(maps.Keys(rendered.Data))
				if got := format.Keys(spec, metadataOnly(from), format.Defaults{}); !slices.Equal(got, want) {
					t.Errorf("Keys are %v, Render writes %v", got, want)
				}
			})
		}
	}
}

func TestOutputURLOfItsOwnIsForOneRepository(t *testing.T) {
	const repository = "https://github.com/octocat/hello-world.git"
	spec := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatBasicAuth, URL: repository}
	rendered := render(t, spec, newPair(accessToken, refreshToken), format.Defaults{})
	wantData(t, rendered, map[string]string{"username": "x-access-token", "password": accessToken, "url": repository})

	pair := metadataOnly(newPair(accessToken, refreshToken))
	without := v1alpha1.Output{Name: "out", Format: v1alpha1.OutputFormatBasicAuth}
	if format.Fingerprint(spec, pair, format.Defaults{}) == format.Fingerprint(without, pair, format.Defaults{}) {
		t.Error("a change of the url goes unnoticed")
	}
	for _, bad := range []string{"http://github.com", "https://a:b@github.com/x", "https://github.com/a b", "https://github.com/\nx", "https://"} {
		spec.URL = bad
		if _, err := format.Render(spec, newPair(accessToken, refreshToken), format.Defaults{}); err == nil {
			t.Errorf("the url %q is taken", bad)
		}
	}
}
