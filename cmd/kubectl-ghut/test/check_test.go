package test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPluginChecksTheInstallationAsFarAsAPersonMaySee(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "check")
	seeded(t, ns, "stranger")

	// Without a node no pod of the Deployment is available; the operator is a process here.
	said := ghut(t, admin, 0, "check", "-n", ns)
	for _, want := range []string{
		"Kubernetes", "definition GitHubUserToken", "definition ClusterGitHubApp", "it is at work, as the lease tells, but not in a pod of this Deployment",
		"lease github-user-token-system/github-user-token-operator", "the operator's rights in check", "you may get secrets in check", "host github.com", "the operator got a token there",
	} {
		contains(t, said, want)
	}
	kubectl(t, "create", "namespace", "nobody")
	contains(t, ghut(t, admin, 1, "check", "-n", ns, "--operator-namespace", "nobody"), "FAIL", "no Deployment has the labels")
	contains(t, ghut(t, limited, 0, "check", "-n", ns), "unknown", "you may not list deployments", "no: get is missing, which is for token, credential-helper", "you may not look at the definitions themselves")
	contains(t, ghut(t, limited, 0, "check", "-n", ns, "-o", "json"), `"verdict": "unknown"`)
}

func TestPluginReportHoldsNoToken(t *testing.T) {
	t.Parallel()
	ns := namespace(t, "report")
	seeded(t, ns, "webber")
	kubectl(t, "annotate", "ghut", "webber", "-n", ns, "mine=hunter2-canary")
	for _, person := range []string{admin, limited} {
		file := filepath.Join(t.TempDir(), "report.tar.gz")
		said := ghut(t, person, 0, "report", "-n", ns, "-o", file)
		contains(t, said, file)
		content, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		zipped, err := gzip.NewReader(content)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for archive := tar.NewReader(zipped); ; {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString(header.Name + "\n")
			if _, err := io.Copy(&all, archive); err != nil {
				t.Fatal(err)
			}
		}
		contains(t, all.String(), "ghut-report/githubusertokens.json", "webber-token")
		leaksNothing(t, "the report", all.String())
		if strings.Contains(all.String(), "hunter2-canary") || strings.Contains(all.String(), accessToken(t, ns, "webber-token")) {
			t.Error("the report holds what somebody has put into an annotation, or the token")
		}
		if person == limited {
			contains(t, said, `left out: secrets.json: a permission is missing: you may not list secrets (API group "") in namespace report`)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read the report: %v", err)
		}
		contains(t, ghut(t, person, 1, "report", "-n", ns, "-o", file), "file exists")
	}
}

func TestPluginGeneratesWhatInstallsTheOperator(t *testing.T) {
	t.Parallel()
	contains(t, ghut(t, viewer, 0, "install", "generate", "--image", "registry.example.com/operator:v1"), "image: registry.example.com/operator:v1", "kind: CustomResourceDefinition")
	file := filepath.Join(t.TempDir(), "install.yaml")
	if err := os.WriteFile(file, []byte(ghut(t, viewer, 0, "install", "generate", "--image", "registry.example.com/operator:v1", "-n", "elsewhere", "--component", "walls")), 0o600); err != nil {
		t.Fatal(err)
	}
	// What is there already stands in the way of no dry run of kubectl's own.
	contains(t, kubectl(t, "create", "--dry-run=client", "-f", file), "namespace/elsewhere", "deployment.apps/github-user-token-operator", "validatingadmissionpolicy")
}
