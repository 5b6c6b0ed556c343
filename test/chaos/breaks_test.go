//go:build chaos

package chaos

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// catchers are the tests that notice the breaks.
var catchers = map[string]string{
	"the outbox is skipped":                            "TestChaosKilledContainerLosesNothingThatItKept",
	"the fence is not under resourceVersion":           "TestChaosStaleCachesBurnNothing",
	"the outbox is not replayed at start":              "TestChaosKilledContainerLosesNothingThatItKept",
	"shutdown does not wait for exchanges":             "TestChaosTerminatedOperatorWaitsForItsExchanges",
	"the deadline does not count at the socket":        "TestChaosStoppedLeaderDoesNotPresentWhatAnotherHasSpent",
	"the intent of somebody else is not waited for":    "TestChaosTwoActiveManagersNeverSpendATokenTwice",
	"a commit that meets a conflict gives up":          "TestChaosSecretChangesDuringAnExchange",
	"a commit that is refused gives up":                "TestChaosAPIServerRefusesACommit",
	"an exchange of unknown outcome counts as refused": "TestChaosGitHubFails",
	"received tokens are logged":                       "TestChaosDamagedRecordKeepsNothingFromBeingReplayed",
}

// alone is the break that is tried before the others and not beside them. What is stopped at the socket races with its
// own timers when it goes on, and on a busy machine these may win: then nothing is sent, break or not.
const alone = "the deadline does not count at the socket"

// TestEachBreakIsCaught runs, for each break, the test that is to notice it, with an operator that was built with
// the break. What is proved is that this very test fails, and not that something else went wrong: the same
// test passes with the operator as it is, or this run has failed already.
func TestEachBreakIsCaught(t *testing.T) {
	if os.Getenv(breakVariable) != "" {
		return // This is such a run.
	}
	for _, name := range slices.Sorted(maps.Keys(breaks)) {
		t.Run(name, func(t *testing.T) {
			if name != alone {
				t.Parallel()
			}
			catcher, known := catchers[name]
			if !known {
				t.Fatal("no test is named that catches this break")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+catcher+"$", "-test.count=1", "-test.v", "-test.timeout=14m")
			cmd.Env = append(os.Environ(), breakVariable+"="+name)
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = 30 * time.Second
			output, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("%s does not notice", catcher)
			}
			if !strings.Contains(string(output), "--- FAIL: "+catcher) {
				t.Fatalf("%s was not brought to fail, but: %v\n%s", catcher, err, output)
			}
			totals.caught(name, catcher, firstComplaint(string(output)))
		})
	}
}

// firstComplaint is the first line by which a test says what is wrong.
func firstComplaint(output string) string {
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); strings.Contains(line, "_test.go:") && !strings.Contains(line, "process_test.go:") {
			_, said, _ := strings.Cut(line, ": ")
			return said[:min(len(said), 120)]
		}
	}
	return ""
}
