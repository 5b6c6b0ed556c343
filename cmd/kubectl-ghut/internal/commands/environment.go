package commands

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/browser"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// environment is what the commands have of the world outside.
type environment struct {
	version string
	in      io.Reader
	out     io.Writer
	err     io.Writer
	now     func() time.Time
	// sleep waits, and ends early with an error when the command is to end.
	sleep func(context.Context, time.Duration) error
	// isTerminal reports whether out is read by a person; errIsTerminal the same of err.
	isTerminal, errIsTerminal func() bool
	// openBrowser opens a page.
	openBrowser func(context.Context, string) error
	// look finds a program.
	look func(string) (string, error)
	// connect finds the cluster that the flags and the kubeconfig name.
	connect func() (*cluster.Cluster, error)
	flags   *genericclioptions.ConfigFlags
}

// theWorld is the environment of a command that a person has typed.
func theWorld(version string) *environment {
	e := &environment{
		version: version, in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now,
		sleep: sleep, openBrowser: browser.Open, look: exec.LookPath,
		isTerminal:    func() bool { return isTerminal(os.Stdout) },
		errIsTerminal: func() bool { return isTerminal(os.Stderr) },
		flags:         genericclioptions.NewConfigFlags(true),
	}
	e.connect = func() (*cluster.Cluster, error) {
		namespace, _, err := e.flags.ToRawKubeConfigLoader().Namespace()
		if err != nil {
			return nil, fmt.Errorf("read the kubeconfig: %w", err)
		}
		config, err := e.flags.ToRESTConfig()
		if err != nil {
			return nil, fmt.Errorf("read the kubeconfig: %w", err)
		}
		config.UserAgent = "kubectl-ghut/" + version
		config.QPS = -1
		return cluster.New(config, namespace)
	}
	return e
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// say prints a line for the person, on standard error.
func (e *environment) say(format string, args ...any) { fmt.Fprintf(e.err, format+"\n", args...) }

// print prints a line of what was asked for, on standard output.
func (e *environment) print(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }
