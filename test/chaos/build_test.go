package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/githubusertoken/github-user-token-operator/test/suite/overlay"
)

// patch is an overlay.Patch, written short.
type patch struct{ file, find, replace string }

// probes are the places at which a test can seize the operator: see package probe.
var probes = []patch{
	{"internal/rotation/rotator.go", "\tkeepErr := r.Outbox.Keep(record)\n",
		"\tprobe.At(\"received-\" + record.Owner.Name)\n\tkeepErr := r.Outbox.Keep(record)\n\tprobe.At(\"kept-\" + record.Owner.Name)\n"},
	{"internal/outbox/keep.go", "\tname := fileName(record.ID)\n\tif err := o.moveInto(spare, name); err != nil {\n",
		"\tname := fileName(record.ID)\n\tprobe.At(\"written-\" + record.Owner.Name)\n\tif err := o.moveInto(spare, name); err != nil {\n"},
	{"internal/github/guard.go", "\tif !g.armed {\n\t\treturn false, nil\n\t}\n",
		"\tif !g.armed {\n\t\treturn false, nil\n\t}\n\tprobe.At(\"send\")\n"},
}

// breaks are deliberate violations of the protocol's rules. Each must make a test fail.
var breaks = map[string][]patch{
	"the outbox is skipped": {
		{"internal/rotation/rotator.go", "\tkeepErr := r.Outbox.Keep(record)\n", "\tvar keepErr error\n"},
	},
	"the fence is not under resourceVersion": {
		{"internal/pairsecret/encode.go", "\tif current.UID != \"\" {\n",
			"\tif next.Intent != nil {\n\t\tdelete(metadata, \"resourceVersion\")\n\t}\n\tif current.UID != \"\" {\n"},
	},
	"the outbox is not replayed at start": {
		{"main.go", "\treconciler.Replay(log, records)\n", "\t_ = records\n"},
	},
	"shutdown does not wait for exchanges": {
		{"main.go", "err := reconciler.Runner.Drain(drain); err != nil", "err := drain.Err(); err != nil"},
	},
	"the deadline does not count at the socket": {
		{"internal/github/guard.go", "if first && (g.sealed || !time.Now().Before(g.deadline)) {", "if first && g.sealed {"},
	},
	"the intent of somebody else is not waited for": {
		{"internal/rotation/rules/input.go", "in.Pair.Intent.Standing(in.Me) == rotation.StandingForeign && in.IntentSeen < rotation.IntentTimeout", "in.Pair.Intent.Standing(in.Me) == rotation.StandingForeign && in.IntentSeen < 0"},
	},
	"a commit that meets a conflict gives up": {
		{"internal/rotation/commit.go", "\t\tlive = nil\n\t\tif errors.Is(err, ErrConflict)",
			"\t\tlive = nil\n\t\tif errors.Is(err, ErrConflict) {\n\t\t\treturn Result{Outcome: Superseded}\n\t\t}\n\t\tif errors.Is(err, ErrConflict)"},
	},
	"a commit that is refused gives up": {
		{"internal/rotation/commit.go", "\t\tlive = nil\n\t\tif errors.Is(err, ErrConflict)",
			"\t\tlive = nil\n\t\tif errors.Is(err, ErrDenied) {\n\t\t\treturn Result{Outcome: Superseded}\n\t\t}\n\t\tif errors.Is(err, ErrConflict)"},
	},
	"an exchange of unknown outcome counts as refused": {
		{"internal/rotation/settle.go", "\tcase github.Ambiguous:\n\t\treturn Result{Outcome: Unknown, Pair: fenced, Err: failure}\n\tcase github.Rejected:\n",
			"\tcase github.Ambiguous, github.Rejected:\n"},
	},
	"received tokens are logged": {
		{"controllers/lifecycle/record.go", "\tcase rotation.Committed:\n\t\to.notes.succeed(token.UID)\n",
			"\tcase rotation.Committed:\n\t\to.notes.succeed(token.UID)\n\t\tlog.Info(\"The pair\", \"access\", result.Pair.AccessToken.Reveal())\n"},
	},
}

// build compiles the operator with patches, all of which must fit.
func build(ctx context.Context, root, out string, race bool, patches []patch) error {
	work, err := os.MkdirTemp(filepath.Dir(out), "overlay-")
	if err != nil {
		return err
	}
	var changes []overlay.Patch
	for _, p := range patches {
		changes = append(changes, overlay.Patch{File: p.file, Find: p.find, Replace: p.replace})
	}
	file, err := overlay.Write(root, work, changes)
	if err != nil {
		return err
	}
	args := []string{"build", "-overlay", file, "-o", out}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w:\n%s", err, output)
	}
	return nil
}
