package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// task is what a command does to one resource.
type task struct {
	*environment
	*cluster.Cluster
	name string
	// token is the resource as it was read last.
	token *v1alpha1.GitHubUserToken
	// made says that this command has made it.
	made bool
	// stands says how things stand if the command ends now, before it is done, and which command goes on from there.
	stands string
}

// begin connects a command that deals with the resource of a name, and has it say how things stand when it was ended early.
func (e *environment) begin(ctx context.Context, name string, do func(context.Context, *task) error) error {
	c, err := e.connect()
	if err != nil {
		return err
	}
	t := &task{environment: e, Cluster: c, name: name, stands: "Nothing was changed. To do it, give the same command again."}
	return t.unfinished(ctx, do(ctx, t))
}

// steer is a command that does something to the resource that its argument names, which is there.
func (e *environment) steer(do func(context.Context, *task) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return e.begin(cmd.Context(), args[0], func(ctx context.Context, t *task) error {
			if err := t.read(ctx); err != nil {
				return err
			}
			return do(ctx, t)
		})
	}
}

// read reads the resource.
func (t *task) read(ctx context.Context) (err error) {
	t.token, err = t.Token(ctx, t.name)
	return err
}

// command is a command of the plugin for this resource.
func (t *task) command(verb string, args ...string) string {
	return strings.Join(append([]string{"kubectl ghut", verb, t.name, "-n", t.Namespace}, args...), " ")
}

// timeoutError is what ends a command whose time is over.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("it has taken longer than --timeout, %s", e.limit)
}

// within does something that waits, for a limited time.
func (t *task) within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &timeoutError{limit})
	defer cancel()
	return t.unfinished(ctx, do(ctx))
}

// unfinishedError is a command that ended before it was done, with how things stand.
type unfinishedError struct {
	why    error
	stands string
}

func (e *unfinishedError) Error() string { return whyEnded(e.why) + ". " + e.stands }
func (e *unfinishedError) Unwrap() error { return e.why }

// whyEnded says why a command has ended early: by whoever has pressed Ctrl-C, unless its time was over.
func whyEnded(cause error) string {
	if timeout, ok := errors.AsType[*timeoutError](cause); ok {
		return timeout.Error()
	}
	return "interrupted"
}

// unfinished adds how things stand to an error that comes of an early end. What was refused says more itself.
func (t *task) unfinished(ctx context.Context, err error) error {
	_, told := errors.AsType[*unfinishedError](err)
	_, isExit := errors.AsType[*exitError](err)
	switch {
	case err == nil, told, isExit, cluster.IsFinal(err):
		return err
	case ctx.Err() != nil:
		return &unfinishedError{context.Cause(ctx), t.stands}
	case errors.Is(err, errUnanswered):
		return fmt.Errorf("%w. %s", err, t.stands)
	default:
		return err
	}
}
