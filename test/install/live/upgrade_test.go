package live

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// newFlags are those of the stage that the previous release does not know.
var newFlags = []string{"--cluster-resource-namespace"}

// From the previous release to this one and back, as kustomize installs them, and on again.
func TestUpgradeAndDowngradeAroundLiveResources(t *testing.T) {
	old := previous(t) // Before anything is built.
	w := newWorld(t)
	program := filepath.Join(t.TempDir(), "previous")
	goBuild(t, old, "-o", program, ".")
	current := w.Program

	install := func(dir, program string) {
		t.Helper()
		w.must(w.Plane.Apply(t.Context(), filepath.Join(dir, "config", "default")))
		w.Program, w.Unknown = program, nil
		if dir == old {
			w.Unknown = newFlags
		}
		w.start()
	}
	install(old, program)
	w.createResources()
	before := w.pairs()
	for _, step := range []struct{ what, dir, program string }{
		{"after an upgrade", root, current}, {"after a downgrade", old, program}, {"after the next upgrade", root, current},
	} {
		w.stop()
		install(step.dir, step.program)
		w.serves()
		w.unchanged(before, step.what)
	}
	// The chain goes on: an exchange that is asked for is made by whoever runs now, once.
	for i, step := range []struct{ what, dir, program string }{{"this one", root, current}, {"the previous one", old, program}} {
		w.stop()
		install(step.dir, step.program)
		w.refresh()
		if now := w.pairs(); len(now.presentations) != len(before.presentations)+(i+1)*len(policies) {
			t.Errorf("%s: %d refresh tokens were presented for %d requests", step.what, len(now.presentations)-len(before.presentations), (i+1)*len(policies))
		}
	}
	w.kubectl("delete", "ghut", "--all", "--all-namespaces", "--timeout=1m")
}

// A version that knows no GitHubApps and ClusterGitHubApps comes back while they are in use: those who use them are refused by name
// and lose nothing, and go on when this version is back.
func TestUpgradeAndDowngradeWhileAppsAreInUse(t *testing.T) {
	old := previous(t)
	w := newWorld(t)
	program := filepath.Join(t.TempDir(), "previous")
	goBuild(t, old, "-o", program, ".")
	w.must(w.Plane.Apply(t.Context(), filepath.Join(root, "config", "default")))
	w.start()
	w.createResources()
	w.createAppsAndUsers()
	before := w.pairs()
	for _, command := range documentedCommands(t, "## Upgrading") { // It says who is concerned.
		named := strings.Fields(w.shell(command))
		slices.Sort(named)
		if want := []string{namespace + "/mine", namespace + "/ours"}; !slices.Equal(named, want) {
			t.Errorf("%s\nnames %v, want %v", command, named, want)
		}
	}
	w.stop()

	w.must(w.Plane.Apply(t.Context(), filepath.Join(old, "config", "default")))
	current := w.Program
	w.Program, w.Unknown = program, newFlags
	w.start()
	w.serves() // All others.
	for name, field := range map[string]string{w.using[0]: "spec.app.ref", w.using[1]: "spec.app.ref", loginOnly: "spec.login"} {
		_, err := w.Kubectl(t.Context(), "-n", namespace, "annotate", "ghut", name, "test=downgrade")
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), field) {
			t.Errorf("what is written to %s: %v", name, err)
		}
	}
	suite.Eventually(t, patience, "the operator says what it is refused", func() (bool, string) {
		log := w.operatorLog()
		return strings.Contains(log, "spec.app.ref"), w.Operator.LogTail()
	})
	w.unchanged(before, "after a downgrade")
	w.stop()

	w.must(w.Plane.Apply(t.Context(), filepath.Join(root, "config", "default")))
	w.Program, w.Unknown = current, nil
	w.start()
	w.serves()
	for _, name := range w.using {
		if resource := w.resource(name); resource.Spec.App.Ref == nil {
			t.Errorf("%s has lost its App", name)
		}
	}
	if w.resource(loginOnly).Spec.Login == nil {
		t.Error("the resource without a seed has lost its login")
	}
	w.unchanged(before, "after the next upgrade")
	w.refreshAll(w.using)
	if now := w.pairs(); len(now.presentations) != len(before.presentations)+len(w.using) {
		t.Errorf("%d refresh tokens were presented for %d requests", len(now.presentations)-len(before.presentations), len(w.using))
	}
}

// previous writes the tree of the previous release into a folder of the test's. A clone without it fails: what this test tries
// is not tried otherwise.
func previous(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "hack/previous.sh", dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}
