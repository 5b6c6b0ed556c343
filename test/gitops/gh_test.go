package gitops

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cli/go-gh/v2/pkg/auth"
	"github.com/cli/go-gh/v2/pkg/config"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// TestGitOpsGHFindsTheTokenInItsFolder mounts an output of the format GitHubCLI as gh's configuration folder
// and reads it with the library that gh itself is built on.
func TestGitOpsGHFindsTheTokenInItsFolder(t *testing.T) {
	token := credential.NewAccessToken("ghu_abcdefghijklmnopqrstuvwxyz0123456789")
	pair := &rotation.Pair{AccessToken: token, State: rotation.State{AccessToken: token.Fingerprint()}}
	spec := v1alpha1.Output{Name: "gh", Format: v1alpha1.OutputFormatGitHubCLI}
	rendered, err := format.Render(spec, pair, format.Defaults{AppHost: "octocorp.ghe.com", UserLogin: "0123"})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, content := range rendered.Data {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GH_CONFIG_DIR", folder)
	for _, name := range []string{"GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_HOST", "CODESPACES"} {
		t.Setenv(name, "")
	}

	found, from := auth.TokenFromEnvOrConfig("octocorp.ghe.com")
	if !token.Matches(found) || from != "oauth_token" {
		t.Errorf("gh does not find the token under its host (source %q)", from)
	}
	folderConfig, err := config.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path []string
		want string
	}{
		{[]string{"version"}, "1"},
		{[]string{"hosts", "octocorp.ghe.com", "user"}, "0123"},
		{[]string{"hosts", "octocorp.ghe.com", "git_protocol"}, "https"},
		{[]string{"hosts", "octocorp.ghe.com", "users", "0123", "oauth_token"}, token.Reveal()},
	} {
		if got, err := folderConfig.Get(test.path); err != nil || got != test.want {
			t.Errorf("%v is not what gh needs (error: %v)", test.path, err)
		}
	}
}
