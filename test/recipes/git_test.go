package recipes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// rendered are the outputs of the resource in a recipe, as the operator writes them.
func rendered(t *testing.T, name string) map[string]map[string][]byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "config", "samples", "recipes", name))
	if err != nil {
		t.Fatal(err)
	}
	r := &recipe{t: t, outputs: map[string]map[string][]byte{}, specs: map[string]v1alpha1.Output{}}
	for part := range strings.SplitSeq(string(content), "\n---\n") {
		if !strings.Contains(part, "\nkind: GitHubUserToken\n") {
			continue
		}
		resource := &v1alpha1.GitHubUserToken{}
		if err := yaml.UnmarshalStrict([]byte(part), resource); err != nil {
			t.Fatal(err)
		}
		r.render(resource)
	}
	return r.outputs
}

// A workspace has git read its credentials by git's own helper store, from the file /.git-credentials/credentials: here the real git does.
func TestRecipesGiveGitOfAWorkspaceItsCredentials(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "credentials")
	if err := os.WriteFile(file, rendered(t, "dev_workspaces.yaml")["octocat-workspace-git"]["credentials"], 0o600); err != nil {
		t.Fatal(err)
	}
	fill := func(host string) (string, error) {
		git := exec.CommandContext(t.Context(), "git", "-c", "credential.helper=", "-c", "credential.helper=store --file "+file, "credential", "fill")
		git.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1"}
		git.Stdin = strings.NewReader("protocol=https\nhost=" + host + "\n\n")
		out, err := git.Output()
		return string(out), err
	}
	if got, err := fill("github.com"); err != nil || !strings.Contains(got, "\npassword="+token+"\n") || !strings.Contains(got, "\nusername=") {
		t.Errorf("git gets no token: %v", err)
	}
	if got, err := fill("gitlab.example.com"); err == nil || strings.Contains(got, token) {
		t.Error("git gets the token for another host")
	}
}
