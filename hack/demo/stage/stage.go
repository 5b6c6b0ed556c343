// Package stage sets up the operator on a machine that has nothing but Go: a real
// control plane with config/default applied, a stand-in for GitHub, and the
// operator as a process of its own under the identity and the rights of its
// ServiceAccount. The demo and the soak test play on it.
//
// Nothing of it is left when this process ends, however it ends: the processes
// are bound to this one, and their folders are deleted.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// Namespace and ServiceAccount of the operator, as in config/.
const (
	Namespace      = "github-user-token-system"
	ServiceAccount = "github-user-token-operator"
)

// stopTimeout is how long the operator and the stand-in may take to end.
const stopTimeout = 15 * time.Second

// Options of a Stage.
type Options struct {
	// Root is the folder of the checkout. Default: that of the module of the working directory.
	Root string
	// Log takes a line for each thing that takes a while.
	Log io.Writer
	// AuditPolicy is handed to the control plane.
	AuditPolicy string
	// APIServerArgs are put behind the API server's other arguments.
	APIServerArgs []string
	// Overlay is a file for go build -overlay, by which a test changes the operator that is built.
	Overlay string
	// Bare leaves the installation to the caller, the CRD included.
	Bare bool
	// OperatorEnv is put behind the rest of the operator's environment, which is that of config/manager.
	OperatorEnv []string
}

// Stage is what Start has set up.
type Stage struct {
	// Plane is the control plane.
	Plane *controlplane.ControlPlane
	// Operator is the manager's process, after StartOperator.
	Operator *controlplane.Process
	// GitHub is the stand-in, after StartGitHub or UseGitHub.
	GitHub *GitHub
	// MetricsAddress is where the operator serves its metrics, after StartOperator.
	MetricsAddress string
	// Root is the folder of the checkout.
	Root string
	// Program is the operator that StartOperator starts: by default that of the checkout.
	Program string
	// Unknown are flags that a Program of another version has not. They are left out.
	Unknown []string

	options Options
	dir     *controlplane.TempDir
	proxy   string // URL, after the first StartOperator
	// loginPage is nil unless there is one.
	loginPage *controlplane.Process
	// tokenServers are those that were started.
	tokenServers []*controlplane.Process
	outbox       *controlplane.TempDir // nil unless there is a file system in memory
	closers      []func()              // in order of creation
	// noEgress closes the way from the operator to GitHub.
	noEgress atomic.Bool
}

// Start builds the programs, starts the control plane, and installs the operator
// there with kustomize as a user would. Its Deployment stays without a pod,
// as there is no node: see StartOperator.
func Start(ctx context.Context, options Options) (*Stage, error) {
	s := &Stage{options: options}
	if err := s.start(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Stage) start(ctx context.Context) error {
	root, err := s.options.root(ctx)
	if err != nil {
		return err
	}
	s.Root = root
	if s.dir, err = controlplane.NewTempDir("", fmt.Sprintf("github-user-token-demo-%d-", os.Getpid())); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	s.Program = s.binary("github-user-token-operator")
	s.say("Starting etcd, kube-apiserver and kube-controller-manager")
	options := controlplane.Options{Dir: s.dir.Path(), Log: s.options.Log, AuditPolicy: s.options.AuditPolicy, ExtraAPIServerArgs: s.options.APIServerArgs}
	if !s.options.Bare {
		options.Install = []string{filepath.Join(s.Root, "config", "crd")}
	}
	s.Plane, err = controlplane.Start(ctx, options)
	if err != nil || s.options.Bare {
		return err
	}
	s.say("Installing the operator: kubectl apply --server-side -k config/default")
	return s.Plane.Apply(ctx, filepath.Join(s.Root, "config", "default"))
}

func (o Options) root(ctx context.Context) (string, error) {
	if o.Root != "" {
		return filepath.Abs(o.Root)
	}
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("look for the checkout: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(mod))), nil
}

func (s *Stage) say(format string, args ...any) {
	fmt.Fprintf(s.options.Log, format+"\n", args...)
}

// GitHubPID is the process of the stand-in; 0 when it is none of its own, or does not run.
func (s *Stage) GitHubPID() int {
	if s.GitHub == nil || s.GitHub.process == nil {
		return 0
	}
	return s.GitHub.process.PID()
}

// Path is the stage's folder, which is deleted at the end, joined with names.
func (s *Stage) Path(names ...string) string { return s.dir.Path(names...) }

// Kubectl calls the control plane's kubectl as its administrator and returns what it prints.
func (s *Stage) Kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := s.Plane.Kubectl(ctx, args...)
	cmd.Dir = s.Root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(stdout), nil
}

// Broken tells, once, that the operator or the stand-in for GitHub has ended by itself. Both have been started here.
func (s *Stage) Broken(ctx context.Context) <-chan error {
	operator, operatorEnded, gitHubEnded := s.Operator, s.Operator.Ended(), s.GitHub.process.Ended()
	broken := make(chan error, 1)
	go func() {
		select {
		case <-ctx.Done():
		case <-operatorEnded:
			broken <- fmt.Errorf("the operator has ended by itself; the end of its log:\n%s", operator.LogTail())
		case <-gitHubEnded:
			broken <- errors.New("the stand-in for GitHub has ended by itself")
		}
	}()
	return broken
}

// Stop ends everything, clients first, and deletes the folders.
func (s *Stage) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var failed []error
	if s.Operator != nil {
		failed = append(failed, s.Operator.Stop(ctx))
	}
	if s.loginPage != nil {
		failed = append(failed, s.loginPage.Stop(ctx))
	}
	for _, server := range s.tokenServers {
		failed = append(failed, server.Stop(ctx))
	}
	if s.GitHub != nil && s.GitHub.process != nil {
		failed = append(failed, s.GitHub.process.Stop(ctx))
	}
	for _, closer := range s.closers {
		closer()
	}
	if s.Plane != nil {
		s.Plane.Stop()
	}
	for _, dir := range []*controlplane.TempDir{s.outbox, s.dir} {
		if dir != nil {
			failed = append(failed, dir.Remove())
		}
	}
	if err := errors.Join(failed...); err != nil {
		s.say("%v", err)
	}
}

// Log is where the stage says what it does.
func (s *Stage) Log() io.Writer { return s.options.Log }
