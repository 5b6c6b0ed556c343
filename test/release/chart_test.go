package release

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// metadata is what a test reads of a Chart.yaml.
type metadata struct {
	Version, AppVersion string
	Annotations         map[string]string
}

// The chart is pulled from the registry by helm, as a user would, and installs the image of its release.
func TestReleaseChartIsPulledByHelm(t *testing.T) {
	w := released(t)
	if out, err := w.tool(t, "helm", nil, "template", product, "oci://"+w.chart, "--plain-http"); err != nil {
		t.Error(err)
	} else if !strings.Contains(out, "image: ghcr.io/githubusertoken/github-user-token-operator:"+version+"\n") {
		t.Error("it does not name the image of its release")
	}
	out, err := w.tool(t, "helm", nil, "show", "chart", "oci://"+w.registry+"/charts/"+product, "--version", strings.TrimPrefix(version, "v"), "--plain-http")
	if err != nil {
		t.Fatal(err)
	}
	// Helm says on the same stream what it has pulled.
	_, out, _ = strings.Cut("\n"+out, "\nannotations:")
	var chart metadata
	if err := yaml.Unmarshal([]byte("annotations:"+out), &chart); err != nil {
		t.Fatal(err)
	}
	if chart.Version != strings.TrimPrefix(version, "v") || chart.AppVersion != version {
		t.Errorf("it is version %q of %q", chart.Version, chart.AppVersion)
	}
	if got := chart.Annotations["artifacthub.io/prerelease"]; got != "true" {
		t.Errorf("prerelease: %q", got)
	}
	var images []struct {
		Name, Image string
		Platforms   []string
	}
	annotation(t, chart, "images", &images)
	if len(images) != 1 || images[0].Image != w.registry+"/"+product+":"+version || len(images[0].Platforms) != len(platforms) {
		t.Errorf("images: %+v", images)
	}
	for i, platform := range platforms {
		if i < len(images[0].Platforms) && images[0].Platforms[i] != platform.String() {
			t.Errorf("it is said to be for %q", images[0].Platforms)
		}
	}
	var changes []struct{ Kind, Description string }
	annotation(t, chart, "changes", &changes)
	if len(changes) < 10 {
		t.Errorf("only %d changes are told", len(changes))
	}
	for _, change := range changes {
		if !slices.Contains([]string{"added", "changed", "deprecated", "removed", "fixed", "security"}, change.Kind) {
			t.Errorf("Artifact Hub knows no changes that are %q", change.Kind)
		}
		if change.Description == "" || strings.ContainsAny(change.Description, "`*\n") || strings.Contains(change.Description, "](") {
			t.Errorf("a change reads %q", change.Description)
		}
	}
}

// annotation reads one that holds YAML.
func annotation(t *testing.T, chart metadata, name string, into any) {
	t.Helper()
	text := chart.Annotations["artifacthub.io/"+name]
	if text == "" {
		t.Fatalf("the chart has no annotation artifacthub.io/%s", name)
	}
	if err := yaml.UnmarshalStrict([]byte(text), into); err != nil {
		t.Fatalf("artifacthub.io/%s: %v", name, err)
	}
}

// What is told of the definitions is what is installed.
func TestChartTellsArtifactHubOfEveryDefinition(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "charts", product, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// hack/release-chart.sh adds annotations behind the last line.
	if _, end, ok := strings.Cut(string(content), "\nannotations:\n"); !ok || strings.Contains("\n"+end, "\n#") || slices.ContainsFunc(strings.Split(end, "\n"), func(line string) bool {
		return line != "" && !strings.HasPrefix(line, "  ")
	}) {
		t.Error("the annotations are not the end of Chart.yaml")
	}
	var chart metadata
	if err := yaml.Unmarshal(content, &chart); err != nil {
		t.Fatal(err)
	}
	var crds []struct{ Kind, Version, Name, DisplayName, Description string }
	annotation(t, chart, "crds", &crds)
	var examples []struct {
		APIVersion, Kind string
		Metadata, Spec   map[string]any
	}
	annotation(t, chart, "crdsExamples", &examples)
	told := map[string]bool{}
	for _, crd := range crds {
		told[crd.Name+" "+crd.Kind+" "+crd.Version] = true
	}
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Metadata struct{ Name string }
			Spec     struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Served bool
				}
			}
		}
		if err := yaml.Unmarshal(content, &crd); err != nil {
			t.Fatal(err)
		}
		for _, served := range crd.Spec.Versions {
			id := crd.Metadata.Name + " " + crd.Spec.Names.Kind + " " + served.Name
			if !told[id] {
				t.Errorf("artifacthub.io/crds lacks %s", id)
			}
			delete(told, id)
			if !slices.ContainsFunc(examples, func(example struct {
				APIVersion, Kind string
				Metadata, Spec   map[string]any
			}) bool {
				return example.Kind == crd.Spec.Names.Kind && example.APIVersion == crd.Spec.Group+"/"+served.Name
			}) {
				t.Errorf("artifacthub.io/crdsExamples has no %s", id)
			}
		}
	}
	for id := range told {
		t.Errorf("artifacthub.io/crds has %s, which is not installed", id)
	}
}

// What stands beside the notes is whole, and installs the image by digest.
func TestReleaseFilesHaveTheirChecksums(t *testing.T) {
	w := released(t)
	folder := filepath.Join(w.checkout, "dist", "release")
	sums, err := lines(filepath.Join(folder, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	summed := map[string]string{}
	for i := 0; i+1 < len(sums); i += 2 {
		summed[sums[i+1]] = sums[i]
	}
	plain := strings.TrimPrefix(version, "v")
	want := []string{
		"install.yaml", "crds.yaml", "images.txt", product + "-" + plain + ".tgz", product + "-" + plain + "-index.spdx.json",
		product + "-" + plain + "-linux-amd64.spdx.json", product + "-" + plain + "-linux-arm64.spdx.json", "ghut.yaml",
		clientName + "-" + plain + "-index.spdx.json", clientName + "-" + plain + "-linux-amd64.spdx.json", clientName + "-" + plain + "-linux-arm64.spdx.json",
	}
	for _, platform := range pluginPlatforms {
		want = append(want, pluginArchive(platform), clientArchive(platform))
	}
	for _, name := range want {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(content); summed[name] != hex.EncodeToString(sum[:]) {
			t.Errorf("the checksum of %s is %q", name, summed[name])
		}
		delete(summed, name)
	}
	if len(summed) > 0 {
		t.Errorf("there are also %v", summed)
	}
	install, err := os.ReadFile(filepath.Join(folder, "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "image: " + w.registry + "/" + product + ":" + version + "@" + digest(w.image) + "\n"; !strings.Contains(string(install), want) {
		t.Errorf("install.yaml has no %s", want)
	}
}
