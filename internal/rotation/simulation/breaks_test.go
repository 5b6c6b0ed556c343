package simulation

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var onlyBreak = flag.String("break", "", "the name of the one break that TestEveryBreakIsCaught looks at; all of them by default")

// breaks are the rules that are broken at the edge of the protocol's code.
var breaks = []Break{
	BreakFenceDropped, BreakFenceUnconditional, BreakOutboxSkipped, BreakReplaySkipped,
	BreakReplayByLeader,
	BreakDeadlineNotEnforced, BreakRemoveByUID, BreakCreatedForNobody,
}

// hunted is how many seeds a break may take to be caught.
const hunted = 1000

// huntConfig is the run of a seed in a hunt: short, and with more faults than usual.
func huntConfig(seed uint64, broken Break) Config {
	cfg := ConfigFor(seed)
	cfg.Rotations, cfg.Frequent, cfg.Break = 150, 1+int(seed%3), broken
	return cfg
}

// rareConfig is the run of a seed in a hunt for a rare break: a few kinds of faults, all the time.
func rareConfig(seed uint64, faults Faults) Config {
	cfg := huntConfig(seed, BreakNone)
	cfg.Faults, cfg.Rarity, cfg.Frequent = faults, 1, 5+int(seed%3)*5
	if faults.Has(APIRefused) {
		cfg.Places = 1 + int(seed%4) // What waits for ever must take none of them.
	}
	if !faults.both(needLeader.and(Of(WebhookAlters))).isEmpty() {
		cfg.LeaderElection = cfg.Replicas > 1
	}
	return cfg
}

// The test binary of the mutants is this very test, built with other sources. It is told by its environment
// to hunt from a seed on, and does nothing else.
func TestMain(m *testing.M) {
	debug.SetGCPercent(2000)         // Worlds are small and make much that lives for a moment.
	debug.SetMemoryLimit(1536 << 20) // The largest is not.
	if from, err := strconv.ParseUint(os.Getenv("SIMULATION_HUNT"), 10, 64); err == nil {
		broken, mutant := os.Getenv("SIMULATION_BREAK"), os.Getenv("SIMULATION_MUTANT")
		fmt.Println(hunt(from, configOf(Break(broken), cmp.Or(broken, mutant))))
		return
	}
	os.Exit(m.Run())
}

// hunt runs seed after seed until an invariant is broken, and says by which seed, and which it was.
func hunt(from uint64, config func(uint64) Config) string {
	for seed := from; seed <= hunted; seed++ {
		if report := Run(config(seed)); report.Violation != "" {
			return strconv.FormatUint(seed, 10) + "\t" + report.Violation
		}
	}
	return ""
}

// configOf are the runs of a hunt for the break of that name.
func configOf(broken Break, name string) func(uint64) Config {
	faults, isRare := rare[name]
	return func(seed uint64) Config {
		if !isRare {
			return huntConfig(seed, broken)
		}
		cfg := rareConfig(seed, faults)
		cfg.LeaderElection = cfg.LeaderElection && !slices.Contains(leaderless, name)
		cfg.Break, cfg.FullQuota = broken, name == loginFirst
		return cfg
	}
}

// TestTheMutantsAreHarmlessUntilChosen finds that the build with the mutants behaves as the real code as long
// as no rule is broken.
func TestTheMutantsAreHarmlessUntilChosen(t *testing.T) {
	command := exec.CommandContext(t.Context(), buildMutants(t))
	command.Env = append(os.Environ(), "SIMULATION_HUNT="+strconv.Itoa(hunted-100))
	if output, err := command.CombinedOutput(); err != nil || strings.TrimSpace(string(output)) != "" {
		t.Errorf("with all rules kept: %v\n%s", err, output)
	}
}

// brokenRule is a rule that is broken in a run of its own.
type brokenRule struct {
	name, environment, caught string
	// kept is the same run with all rules kept.
	kept func(uint64) Config
}

// brokenRules are those that are to be looked at.
func brokenRules() []*brokenRule {
	var rules []*brokenRule
	for _, name := range breaks {
		rules = append(rules, &brokenRule{name: string(name), environment: "SIMULATION_BREAK=" + string(name), kept: configOf(BreakNone, string(name))})
	}
	for _, m := range mutants {
		if slices.ContainsFunc(rules, func(rule *brokenRule) bool { return rule.name == m.name }) {
			continue
		}
		rules = append(rules, &brokenRule{name: m.name, environment: "SIMULATION_MUTANT=" + m.name, kept: configOf(BreakNone, m.name)})
	}
	if *onlyBreak != "" {
		rules = slices.DeleteFunc(rules, func(rule *brokenRule) bool { return rule.name != *onlyBreak })
	}
	return rules
}

// TestEveryBreakIsCaught breaks each rule of the protocol on purpose and finds that the simulation sees it, by
// a seed with which nothing is wrong as long as the rule is kept.
func TestEveryBreakIsCaught(t *testing.T) {
	rules := brokenRules()
	if len(rules) == 0 {
		t.Fatalf("there is no break %q", *onlyBreak)
	}
	for name := range rare {
		if !slices.Contains(breaks, Break(name)) && !slices.ContainsFunc(mutants, func(m mutant) bool { return m.name == name }) {
			t.Errorf("faults are chosen for %q, which is no break", name)
		}
	}
	binary := buildMutants(t)
	var group sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, rule := range rules {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			rule.caught = huntWith(t, binary, rule)
		})
	}
	group.Wait()
	for _, rule := range rules {
		seed, violation, found := strings.Cut(rule.caught, "\t")
		if !found {
			t.Errorf("%s: not caught by %d seeds", rule.name, hunted)
			continue
		}
		t.Logf("| %s | %s | %s |", rule.name, seed, violation)
	}
}

// huntWith runs the test binary of the mutants with one rule broken. A seed that fails with all rules kept is an error,
// and catches nothing.
func huntWith(t *testing.T, binary string, rule *brokenRule) string {
	for from := uint64(1); ; {
		command := exec.CommandContext(t.Context(), binary)
		command.Env = append(os.Environ(), rule.environment, "SIMULATION_HUNT="+strconv.FormatUint(from, 10))
		output, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: the hunt from seed %d on: %v\n%s", rule.name, from, err, output)
			return ""
		}
		caught := strings.TrimSpace(string(output))
		seed, err := strconv.ParseUint(strings.Split(caught, "\t")[0], 10, 64)
		if err != nil {
			return ""
		}
		cfg := rule.kept(seed)
		report := Run(cfg)
		if report.Violation == "" {
			return caught
		}
		again, err := json.Marshal(cfg)
		if err != nil {
			t.Error(err)
		}
		t.Errorf("%s: seed %d of the hunt fails with all rules kept: %s\nTrace it with: go test ./internal/rotation/simulation -run TestReplay -v -args -replay='%s'",
			rule.name, seed, report.Violation, again)
		from = seed + 1
	}
}

// protocol is the folder of the protocol's package.
const protocol = "internal/rotation"

// buildMutants builds this test with the mutated sources of the protocol in place of the real ones.
func buildMutants(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{protocol + "/drawn.go": drawnSource}
	for _, m := range mutants {
		file := m.file
		if !strings.Contains(file, "/") {
			file = protocol + "/" + file
		}
		source, read := sources[file]
		if !read {
			content, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			source = string(content)
			folder := path.Dir(file)
			sources[folder+"/mutant.go"] = fmt.Sprintf(mutantSource, path.Base(folder))
		}
		// Several mutants may sit at one place: each is put into what the ones before it have left.
		if strings.Count(source, m.find) != 1 {
			t.Fatalf("%s: the text to break stands %d times in %s: keep this list in step with the product:\n%s", m.name, strings.Count(source, m.find), file, m.find)
		}
		sources[file] = strings.Replace(source, m.find, m.replace, 1)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	for file, source := range sources {
		mutated := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(mutated, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay["Replace"][filepath.Join(root, file)] = mutated
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
