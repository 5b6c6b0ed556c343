package release

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Names in code that have a slash, or end like a file, are of files of this repository.
var (
	named = regexp.MustCompile("`((?:\\.?[A-Za-z0-9_-]+/)*\\.?[A-Za-z0-9_-]+\\.(?:sh|yml|yaml|md|go|mod)|(?:\\.?[A-Za-z0-9_-]+/)+[A-Za-z0-9_.-]*)`")
	// made are files of a release: see TestReleaseFilesHaveTheirChecksums.
	made   = map[string]bool{"install.yaml": true, "crds.yaml": true, "ghut.yaml": true}
	linked = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

func TestDocsOfReleasesNameFilesThatThereAre(t *testing.T) {
	const document = "docs/releases.md"
	content := text(t, filepath.Join(root, document))
	count := 0
	for _, found := range append(named.FindAllStringSubmatch(content, -1), linked.FindAllStringSubmatch(content, -1)...) {
		path := filepath.Join(root, found[1])
		if strings.HasPrefix(found[0], "](") {
			path = filepath.Join(root, "docs", found[1])
		}
		if made[found[1]] || strings.HasPrefix(found[1], "dist/") {
			continue
		}
		count++
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s names %s, which there is not", document, found[1])
		}
	}
	if count < 10 {
		t.Errorf("only %d files were found in %s", count, document)
	}
	defined := map[string]bool{}
	for _, found := range makeDefined.FindAllStringSubmatch(text(t, filepath.Join(root, "Makefile")), -1) {
		defined[found[1]] = true
	}
	for _, found := range regexp.MustCompile("make ([a-z][a-z0-9-]*)").FindAllStringSubmatch(content, -1) {
		if !defined[found[1]] {
			t.Errorf("%s names make %s, which there is not", document, found[1])
		}
	}
	for _, document := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		if !strings.Contains(text(t, filepath.Join(root, document)), "docs/releases.md") {
			t.Errorf("%s does not lead to docs/releases.md", document)
		}
	}
}

// What users verify is what the workflow signs: as whom, and where.
func TestDocsOfReleasesVerifyWhatTheWorkflowSigns(t *testing.T) {
	content := text(t, filepath.Join(root, "docs", "releases.md"))
	var release struct{ Env map[string]string }
	if err := yaml.Unmarshal([]byte(text(t, filepath.Join(root, ".github", "workflows", "release.yml"))), &release); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"https://token.actions.githubusercontent.com",
		"https://github.com/githubusertoken/github-user-token-operator/.github/workflows/release.yml@refs/tags/",
		release.Env["IMAGE_REPO"], release.Env["CLIENT_IMAGE_REPO"], release.Env["CHART_REPO"],
	} {
		if want == "" || !strings.Contains(content, want) {
			t.Errorf("it does not name %q", want)
		}
	}
}

// Whoever builds by the Dockerfile gets the base of a release, which is named by digest.
func TestBaseImageIsTheSameForEveryBuild(t *testing.T) {
	var ko, client struct{ DefaultBaseImage string }
	for path, into := range map[string]any{".ko.yaml": &ko, "client/.ko.yaml": &client} {
		if err := yaml.Unmarshal([]byte(text(t, filepath.Join(root, path))), into); err != nil {
			t.Fatal(err)
		}
	}
	if client != ko {
		t.Errorf("the image of ghut-token is built on %s", client.DefaultBaseImage)
	}
	if !regexp.MustCompile(`^gcr\.io/distroless/static:nonroot@sha256:[0-9a-f]{64}$`).MatchString(ko.DefaultBaseImage) {
		t.Errorf("the base is %s", ko.DefaultBaseImage)
	}
	stages := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(text(t, filepath.Join(root, "Dockerfile")), -1)
	if last := stages[len(stages)-1][1]; last != ko.DefaultBaseImage {
		t.Errorf("the Dockerfile builds on %s, and ko on %s", last, ko.DefaultBaseImage)
	}
}
