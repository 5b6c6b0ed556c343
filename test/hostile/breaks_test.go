package hostile

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/test/suite/overlay"
)

// deliberate is a violation of a rule, the test that is to notice it, and what it is to complain of.
type deliberate struct {
	catcher, complaint string
	patches            []overlay.Patch
}

func patch(file, find, replace string) overlay.Patch {
	return overlay.Patch{File: file, Find: find, Replace: replace}
}

// breaks are the rules that keep a tenant from harming others, and webhooks from losing a pair, each undone.
var breaks = map[string]deliberate{
	"every made-up App has a limit of its own": {"TestHostileTenant", "token requests of Apps without a success", []overlay.Patch{
		patch("internal/ratelimit/proven.go", "\thost, _, _ := strings.Cut(app, \"/\")\n\treturn host\n", "\treturn strings.ToLower(app)\n"),
	}},
	"what tenants forge is sent without a turn": {"TestHostileTenant", "bad credentials at its REST API", []overlay.Patch{
		patch("controllers/restlimit/client.go", "c.options.Limiter == nil || c.isTrusted(r)", "c.options.Limiter == nil || !r.charged"),
	}},
	"one namespace may take all places": {"TestHostileTenant", "to be refreshed during", []overlay.Patch{
		patch("internal/fair/places.go", "free <= 0 || p.namespaces[key.Namespace] >= Share*free:", "free <= 0:"),
		patch("internal/fair/places.go", "p.both[key] < Share*p.room(key.Host, free)", "p.both[key] >= 0"),
		patch("controllers/runner/runner.go", "busy && !stands {", "busy && !stands && len(r.aside) < 0 {"),
	}},
	"a Secret is read for each that names it": {"TestHostileTenant", "the one large Secret was read", []overlay.Patch{
		patch("controllers/seeds/findings.go", "\tif e == nil || !now.known ||", "\tif e != nil || !now.known ||"),
	}},
	"a refused token is taken for a device code": {"TestHostileTenant", "its own device code was presented", []overlay.Patch{
		patch("internal/rotation/rotator.go", "\tcase record.Code:\n", "\tcase record.Code, record.Spent == fenced.DeviceCode.Fingerprint():\n"),
	}},
	"the receiver takes any number of bodies": {"TestHostileTenant", "MiB of memory", []overlay.Patch{
		patch("internal/github/webhook/handler.go", "\tmaxBody = 64 << 10\n", "\tmaxBody = 1 << 20\n"),
		patch("internal/endpoint/listener.go", "\treturn limit(inner, connections), nil\n", "\treturn limit(inner, connections<<20), nil\n"),
	}},
}

// TestBreaksFitTheSource keeps the breaks from falling behind the source.
func TestBreaksFitTheSource(t *testing.T) {
	for name, b := range breaks {
		if _, err := overlay.Write("../..", t.TempDir(), b.patches); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEachBreakIsCaught runs, for each break, the test that is to notice it, with an operator that was built with the
// break. The same test passes with the operator as it is, or the run without breaks has failed.
func TestEachBreakIsCaught(t *testing.T) {
	if !settings.breaks || os.Getenv(breakVariable) != "" {
		return // Another run, or one of a break.
	}
	for _, name := range slices.Sorted(maps.Keys(breaks)) {
		t.Run(name, func(t *testing.T) {
			b := breaks[name]
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+b.catcher+"$", "-test.count=1", "-test.v", "-test.timeout=19m")
			cmd.Env = append(os.Environ(), breakVariable+"="+name)
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = 30 * time.Second
			output, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("%s does not notice", b.catcher)
			}
			if !strings.Contains(string(output), "--- FAIL: "+b.catcher) || !strings.Contains(string(output), b.complaint) {
				t.Fatalf("%s was not brought to complain of it, but: %v\n%s", b.catcher, err, output)
			}
			totals.breaks = append(totals.breaks, name+": caught by "+b.catcher)
		})
	}
}
