package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Who takes the operator away alone, as docs/operations.md says, keeps resources, pairs, and what else is in its namespace.
func TestInstallTakenAwayAloneLeavesWhatItIsFor(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(content), "\n## Uninstalling\n")
	_, rest, _ := strings.Cut(section, "cat >kustomization.yaml <<'YAML'\n")
	written, rest, found := strings.Cut(rest, "\nYAML\n")
	if !found || !strings.HasPrefix(rest, "kubectl delete -k .\n") {
		t.Fatal("docs/operations.md has no kustomization under Uninstalling")
	}
	for _, installed := range []string{"config/default", "config/sharded"} {
		var k kustomization
		if err := yaml.Unmarshal([]byte(strings.Replace(written, "config/default # yours", installed, 1)), &k); err != nil {
			t.Fatal(err)
		}
		objects := build(t, k)
		if !has(objects, "Deployment") || !has(objects, "ClusterRole") {
			t.Errorf("of %s the operator stays", installed)
		}
		for _, kind := range []string{"CustomResourceDefinition", "Namespace", "Secret", "ConfigMap"} {
			if has(objects, kind) {
				t.Errorf("of %s a %s is deleted", installed, kind)
			}
		}
	}
}
