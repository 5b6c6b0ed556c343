package release

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var (
	heading = regexp.MustCompile(`(?m)^## (.*)$`)
	dated   = regexp.MustCompile(`^\[(\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?)\] - (\d{4}-\d{2}-\d{2})$`)
)

// The format is that of Keep a Changelog, which programs read: the notes of a release, and Artifact Hub's.
func TestChangelogKeepsItsFormat(t *testing.T) {
	changelog := text(t, filepath.Join(root, "CHANGELOG.md"))
	headings := heading.FindAllStringSubmatch(changelog, -1)
	if len(headings) < 2 || headings[0][1] != "[Unreleased]" {
		t.Fatalf("it does not begin with what is unreleased: %q", headings)
	}
	last := "9999"
	for _, found := range headings {
		version := "Unreleased"
		if found[1] != "[Unreleased]" {
			parts := dated.FindStringSubmatch(found[1])
			if parts == nil {
				t.Errorf("the heading %q is none of [1.2.3] - 2026-01-02", found[1])
				continue
			}
			version = parts[1]
			if parts[2] > last {
				t.Errorf("%s of %s stands below what came before it", parts[1], parts[2])
			}
			last = parts[2]
		}
		if !strings.Contains(changelog, "\n["+version+"]: https://") {
			t.Errorf("%s has no link at the end", version)
		}
	}
	for line := range strings.Lines(changelog) {
		kind, ok := strings.CutPrefix(line, "### ")
		if ok && !slices.Contains([]string{"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, strings.TrimSpace(kind)) {
			t.Errorf("%q is no kind of change", strings.TrimSpace(kind))
		}
	}
}

// Every version that can be installed has its notes: the chart's of this tree, and those of the tags that a test goes
// back to.
func TestChangelogTellsOfTheChartsVersion(t *testing.T) {
	var chart metadata
	if err := yaml.Unmarshal([]byte(text(t, filepath.Join(root, "charts", product, "Chart.yaml"))), &chart); err != nil {
		t.Fatal(err)
	}
	wanted := []string{chart.AppVersion}
	if chart.AppVersion == "dev" {
		wanted = []string{"Unreleased"}
	}
	previous := regexp.MustCompile(`(?m)^name=(v\S+) `).FindStringSubmatch(text(t, filepath.Join(root, "hack", "previous.sh")))
	if previous == nil {
		t.Fatal("hack/previous.sh does not say which release is the previous one")
	}
	for _, version := range append(wanted, previous[1]) {
		notes, err := notesOf(t, version)
		if err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(notes, "### ") || strings.Contains(notes, "\n## ") || strings.Contains(notes, "\n[") || strings.Contains(notes, "](docs/") {
			t.Errorf("the notes of %s are\n%s", version, notes)
		}
	}
	if notes, err := notesOf(t, "v999.0.0"); err == nil {
		t.Errorf("the notes of a version that there is not are\n%s", notes)
	}
}

func notesOf(t *testing.T, version string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, "hack", "release-notes.sh"), version).Output()
	return string(out), err
}

// A tag that cannot be released is found in the first minute.
func TestReleaseCheckRefusesATagThatCannotBeReleased(t *testing.T) {
	checkout, err := clone("tagged")
	if err != nil {
		t.Fatal(err)
	}
	check := func(version, main string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", "-C", checkout, "release-check", "VERSION="+version)
		cmd.Env = append(cmd.Environ(), "MAIN="+main)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := check(version, "main"); err != nil {
		t.Errorf("%s is refused: %s", version, out)
	}
	for name, refused := range map[string]struct{ version, main, want string }{
		"no version":                {"0.0.0-rc.1", "main", "not of the form"},
		"another kind of version":   {"v0.0.0-preview", "main", "not of the form"},
		"what a shell would run":    {version + ";true", "main", "not of the form"},
		"without notes":             {"v0.2.0", "main", "there are no notes"},
		"one that was made already": {"v0.1.0-rc.1", "main", "the latest version"},
		"not on main":               {version, "nowhere", "is not on nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := check(refused.version, refused.main); err == nil || !strings.Contains(out, refused.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
