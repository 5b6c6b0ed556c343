package release

import (
	goversion "go/version"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type workflow struct {
	Permissions map[string]string
	Jobs        map[string]job
}

type job struct {
	Needs           any // a job, or a list of them
	If              any
	ContinueOnError any `json:"continue-on-error"`
	Uses            string
	Permissions     map[string]string
	Steps           []step
}

type step struct {
	Uses, Run       string
	If              any
	ContinueOnError any `json:"continue-on-error"`
	With            map[string]any
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.y*ml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no workflows: %v", err)
	}
	found := map[string]workflow{}
	for _, path := range paths {
		var read workflow
		if err := yaml.Unmarshal([]byte(text(t, path)), &read); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		found[filepath.Base(path)] = read
	}
	return found
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var (
	makeCalled  = regexp.MustCompile(`(?m)(?:^|[\s;&|(])make ((?:[a-z][a-z0-9-]*(?: |$))+)`)
	makeDefined = regexp.MustCompile(`(?m)^([a-z][a-z0-9-]*):[^=]`)
	pinned      = regexp.MustCompile(`(?m)^\s*-?\s*uses: ([^\s./][^\s@]*)@(\S+)(.*)$`)
)

// targetsOf are the targets of make that a script names.
func targetsOf(script string) map[string]bool {
	targets := map[string]bool{}
	for _, call := range makeCalled.FindAllStringSubmatch(script, -1) {
		for target := range strings.FieldsSeq(call[1]) {
			targets[target] = true
		}
	}
	return targets
}

// targets are those of make that a workflow runs.
func (w workflow) targets() map[string]bool {
	targets := map[string]bool{}
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			maps.Copy(targets, targetsOf(step.Run))
		}
	}
	return targets
}

func TestWorkflowsRunTargetsOfMakeThatThereAre(t *testing.T) {
	defined := map[string]bool{}
	for _, found := range makeDefined.FindAllStringSubmatch(text(t, filepath.Join(root, "Makefile")), -1) {
		defined[found[1]] = true
	}
	for name, workflow := range workflows(t) {
		targets := workflow.targets()
		if len(targets) == 0 {
			t.Errorf("%s runs nothing by make", name)
		}
		for target := range targets {
			if !defined[target] {
				t.Errorf("%s runs make %s, which there is not", name, target)
			}
		}
	}
}

// Whoever looks at a pull request sees what a maintainer's machine would have said.
func TestWorkflowOfCIRunsWhatCIRuns(t *testing.T) {
	local := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^\s*run (make .*)$`).FindAllStringSubmatch(text(t, filepath.Join(root, ".ci", "run")), -1) {
		maps.Copy(local, targetsOf(line[1]))
	}
	// make test is both, beside each other.
	if !local["test"] || !local["verify"] {
		t.Fatalf(".ci/run was not understood: %v", local)
	}
	delete(local, "test")
	local["test-unit"], local["test-integration"] = true, true
	remote := workflows(t)["ci.yml"].targets()
	if !maps.Equal(local, remote) {
		t.Errorf("the workflow runs make %q, and .ci/run %q", slices.Sorted(maps.Keys(remote)), slices.Sorted(maps.Keys(local)))
	}
}

// An old compiler has what newer ones have mended, and would be replaced unseen where a go.mod wants more.
func TestWorkflowsGoIsNotOlderThanAnyGoModWants(t *testing.T) {
	used := "go" + strings.TrimSpace(text(t, filepath.Join(root, ".go-version")))
	if !goversion.IsValid(used) || goversion.Lang(used) == used {
		t.Errorf(".go-version names no exact version: %s", used)
	}
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-co", "--exclude-standard", "--", "go.mod", "*/go.mod")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		wants := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(text(t, filepath.Join(root, path)))
		if wants == nil || goversion.Compare("go"+wants[1], used) > 0 {
			t.Errorf("%s wants %q, and .go-version is %s", path, wants, used)
		}
	}
}

// A tag of an action can be moved, a commit cannot.
func TestWorkflowsNameActionsByCommit(t *testing.T) {
	commit, release := regexp.MustCompile(`^[0-9a-f]{40}$`), regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
	versions := map[string]string{}
	for name := range workflows(t) {
		for _, found := range pinned.FindAllStringSubmatch(text(t, filepath.Join(root, ".github", "workflows", name)), -1) {
			action, ref, comment := found[1], found[2], found[3]
			if !commit.MatchString(ref) || !release.MatchString(comment) {
				t.Errorf("%s uses %s@%s%s: name it by commit, and say which version that is", name, action, ref, comment)
			}
			if before, ok := versions[action]; ok && before != ref+comment {
				t.Errorf("%s is used as %s and as %s", action, before, ref+comment)
			}
			versions[action] = ref + comment
		}
	}
	if len(versions) < 3 {
		t.Errorf("only %d actions were found", len(versions))
	}
}

// A job may do what it needs, and a step that runs somebody's code finds no token that git has kept.
func TestWorkflowsGiveEachJobWhatItNeeds(t *testing.T) {
	// What may be written, by workflow and job.
	allowed := map[string][]string{
		"release.yml build":   {"packages"},
		"release.yml sign":    {"attestations", "id-token", "packages"},
		"release.yml publish": {"contents"},
	}
	for name, workflow := range workflows(t) {
		if name != "ci.yml" && name != "release.yml" {
			t.Errorf("nobody has said what %s may do", name)
		}
		if workflow.Permissions == nil || len(workflow.Permissions) > 0 {
			t.Errorf("%s gives permissions to all of its jobs: %v", name, workflow.Permissions)
		}
		for id, job := range workflow.Jobs {
			var writes []string
			for permission, level := range job.Permissions {
				if level == "write" {
					writes = append(writes, permission)
				}
			}
			slices.Sort(writes)
			if job.Permissions == nil || !slices.Equal(writes, allowed[name+" "+id]) {
				t.Errorf("%s: %s may write %q", name, id, writes)
			}
			for _, step := range job.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: %s keeps the token of its checkout", name, id)
				}
			}
		}
	}
}

// Nothing is signed that was not tested and built again, and nothing published that was not signed.
func TestWorkflowOfAReleaseSignsWhatWasTestedAndBuiltAgain(t *testing.T) {
	jobs := workflows(t)["release.yml"].Jobs
	before := map[string]bool{}
	var collect func(string)
	collect = func(id string) {
		var needs []string
		switch of := jobs[id].Needs.(type) {
		case string:
			needs = []string{of}
		case []any:
			for _, need := range of {
				needs = append(needs, need.(string))
			}
		}
		for _, need := range needs {
			if !before[need] {
				before[need] = true
				collect(need)
			}
		}
	}
	for id, job := range jobs {
		if job.If != nil || job.ContinueOnError != nil {
			t.Errorf("%s may be left out, or fail in silence", id)
		}
		for _, step := range job.Steps {
			if step.If != nil || step.ContinueOnError != nil {
				t.Errorf("a step of %s may be left out, or fail in silence: %s%s", id, step.Uses, step.Run)
			}
		}
	}
	steps := jobs["reproduce"].Steps
	if last := steps[len(steps)-1].Run; last != `diff dist/image.txt "$RUNNER_TEMP/built/image.txt"` {
		t.Errorf("at the end of reproduce the digests are not compared, but %q", last)
	}
	collect("sign")
	for _, id := range []string{"check", "test", "build", "reproduce"} {
		if !before[id] {
			t.Errorf("it is signed without %s", id)
		}
	}
	if jobs["test"].Uses != "./.github/workflows/ci.yml" {
		t.Errorf("the test of a release is %q", jobs["test"].Uses)
	}
	clear(before)
	collect("publish")
	if !before["sign"] {
		t.Error("it is published without signatures")
	}
}
