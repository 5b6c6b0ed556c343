package simulation

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// breaks are the rules that are broken at the edge of the protocol's code.
var breaks = []Break{
	BreakFenceDropped, BreakFenceUnconditional, BreakOutboxSkipped, BreakReplaySkipped, BreakClocksCompared,
	BreakDeadlineNotEnforced, BreakRemoveByUID,
}

// hunted is how many seeds a break may take to be caught.
const hunted = 1500

// The test binary of the mutants is this very test, built with other sources. It is told by its environment
// to hunt and nothing else.
func TestMain(m *testing.M) {
	if name := os.Getenv("SIMULATION_HUNT"); name != "" {
		fmt.Println(hunt(Break(os.Getenv("SIMULATION_BREAK"))))
		return
	}
	os.Exit(m.Run())
}

// hunt runs seed after seed until an invariant is broken, and says which and by which seed.
func hunt(broken Break) string {
	for seed := uint64(1); seed <= hunted; seed++ {
		cfg := ConfigFor(seed)
		cfg.Break = broken
		if report := Run(cfg); report.Violation != "" {
			return strconv.FormatUint(seed, 10) + "\t" + report.Violation
		}
	}
	return ""
}

// TestEveryBreakIsCaught breaks each rule of the protocol on purpose and finds that the simulation sees it.
func TestEveryBreakIsCaught(t *testing.T) {
	binary := buildMutants(t)
	var mu sync.Mutex
	caught := map[string]string{}
	var group sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	run := func(name string, environment ...string) {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			command := exec.CommandContext(t.Context(), binary)
			command.Env = append(os.Environ(), "SIMULATION_HUNT=1")
			command.Env = append(command.Env, environment...)
			output, err := command.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			caught[name] = strings.TrimSpace(string(output))
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, output)
			}
		})
	}
	for _, name := range breaks {
		run(string(name), "SIMULATION_BREAK="+string(name))
	}
	for _, m := range mutants {
		run(m.name, "SIMULATION_MUTANT="+m.name)
	}
	group.Wait()

	names := make([]string, 0, len(caught))
	for _, name := range breaks {
		names = append(names, string(name))
	}
	for _, m := range mutants {
		names = append(names, m.name)
	}
	for _, name := range names {
		seed, violation, found := strings.Cut(caught[name], "\t")
		if !found {
			t.Errorf("%s: not caught by %d seeds", name, hunted)
			continue
		}
		t.Logf("| %s | %s | %s |", name, seed, violation)
	}
	t.Logf("%d breaks of %d caught", len(names), len(breaks)+len(mutants))
}

// buildMutants builds this test with the mutated sources of the protocol in place of the real ones.
func buildMutants(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sources := map[string]string{"mutant.go": mutantSource}
	protocol, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		source, read := sources[m.file]
		if !read {
			content, err := os.ReadFile(filepath.Join(protocol, m.file))
			if err != nil {
				t.Fatal(err)
			}
			source = string(content)
		}
		// Several mutants may sit at one place: each is put into what the ones before it have left.
		if strings.Count(source, m.find) != 1 {
			t.Fatalf("%s: the text to break stands %d times in %s: keep this list in step with the protocol:\n%s", m.name, strings.Count(source, m.find), m.file, m.find)
		}
		sources[m.file] = strings.Replace(source, m.find, m.replace, 1)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for file, source := range sources {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][filepath.Join(protocol, file)] = path
	}
	encoded, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutants.test")
	if err := os.WriteFile(overlayFile, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlayFile, "-o", binary, ".")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the mutants: %v\n%s", err, output)
	}
	return binary
}
