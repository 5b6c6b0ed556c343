package hostile

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
	"github.com/githubusertoken/github-user-token-operator/test/suite/overlay"
)

// theOperator is who it is to the API server.
const theOperator = "system:serviceaccount:" + stage.Namespace + ":" + stage.ServiceAccount

// breakVariable names one of the breaks, with which this run is to build the operator.
const breakVariable = "HOSTILE_BREAK"

// the is what all tests of this package share.
var the struct {
	stage *stage.Stage
	gh    *githubtest.Server
	calls *calls
	admin client.WithWatch
	// receiver is the address of the operator's webhook receiver.
	receiver string
	// apps are the Apps that GitHub knows, and can so have a success.
	apps  map[string]bool
	began time.Time
	lives int
}

func TestMain(m *testing.M) { suite.Main(m, run) }

func run(m *testing.M) (int, error) {
	// The tests are told apart from one another by what they do to the one operator, so they come one by one.
	if err := suite.Parallel(1); err != nil {
		return 1, err
	}
	if settings.breaks && os.Getenv(breakVariable) == "" {
		return m.Run(), nil // Each break has a run of its own.
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	ctrllog.SetLogger(logr.Discard())
	patched, err := broken(ctx)
	if err != nil {
		return 1, err
	}
	defer patched.remove()
	the.stage, err = stage.Start(ctx, stage.Options{Log: os.Stderr, AuditPolicy: suite.AuditPolicy, Overlay: patched.file})
	if err != nil {
		return 1, err
	}
	defer the.stage.Stop()
	stop, err := startGitHub()
	if err != nil {
		return 1, err
	}
	defer stop()
	release, err := startOperator(ctx)
	if err != nil {
		return 1, err
	}
	defer release()
	code := m.Run()
	totals.print(os.Stderr)
	return code, nil
}

// patchedSource is the folder of an overlay.
type patchedSource struct {
	file string
	dir  *controlplane.TempDir
}

func (p patchedSource) remove() {
	if p.dir != nil {
		_ = p.dir.Remove()
	}
}

// broken prepares the break that this run is about, if any.
func broken(ctx context.Context) (patchedSource, error) {
	name := os.Getenv(breakVariable)
	if name == "" {
		return patchedSource{}, nil
	}
	b, known := breaks[name]
	if !known {
		return patchedSource{}, fmt.Errorf("there is no break %q", name)
	}
	goMod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return patchedSource{}, fmt.Errorf("look for the checkout: %w", err)
	}
	dir, err := controlplane.NewTempDir("", "github-user-token-hostile-")
	if err != nil {
		return patchedSource{}, err
	}
	file, err := overlay.Write(filepath.Dir(strings.TrimSpace(string(goMod))), dir.Path(), b.patches)
	return patchedSource{file, dir}, err
}

// startOperator starts the operator with all that can be attacked.
func startOperator(ctx context.Context) (release func(), err error) {
	scheme, err := stage.Scheme()
	if err != nil {
		return nil, err
	}
	if the.admin, err = client.NewWithWatch(the.stage.Plane.AdminConfig(), client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	address, release, err := controlplane.ReserveAddress()
	if err != nil {
		return nil, err
	}
	the.receiver = address
	secret := the.stage.Path("webhook-secret")
	if err := os.WriteFile(secret, []byte("5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e"), 0o600); err != nil {
		return nil, err
	}
	the.began, the.lives, the.apps = time.Now(), 1, map[string]bool{}
	return release, the.stage.StartOperator(ctx,
		// A process that was killed need not wait for its former lease.
		"--leader-elect=false",
		"--metrics-secure=false",
		"--webhook-receiver-bind-address="+address, "--webhook-secret-file="+secret,
		fmt.Sprintf("--max-concurrent-exchanges=%d", settings.places),
	)
}
