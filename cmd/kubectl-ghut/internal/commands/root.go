package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// exitError ends the plugin with a code of its own. Its message, if there is one, is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// exit ends with a code; nil for 0.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

// tokenOfGitHub begins as all tokens of GitHub do.
var tokenOfGitHub = regexp.MustCompile(`(gh[a-z]|github_pat)_[A-Za-z0-9+/=_.~-]{4,}`)

// Main runs the plugin and returns its exit code.
func Main(version string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer context.AfterFunc(ctx, stop)() // A second Ctrl-C ends the plugin whatever it does.
	defer stop()
	quiet()
	return run(ctx, theWorld(version), args)
}

// quiet keeps what client-go logs from the terminal: what matters of it comes back as an error.
func quiet() { klog.SetLogger(logr.Discard()) }

func run(ctx context.Context, e *environment, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.SetIn(e.in)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	_, isExit := errors.AsType[*exitError](err)
	if _, told := errors.AsType[*unfinishedError](err); ctx.Err() != nil && !told && !isExit {
		err = &unfinishedError{context.Cause(ctx), "Nothing was changed."}
	}
	// What the API server says is searched for secrets where it arrives. This is for what was overlooked.
	if text := tokenOfGitHub.ReplaceAllString(err.Error(), credential.Redacted); text != "" {
		e.say("error: %s", text)
	}
	if exiting, ok := errors.AsType[*exitError](err); ok {
		return exiting.code
	}
	return 1
}

// newRoot has all commands.
func newRoot(e *environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-ghut",
		Short: "Log in to GitHub for a GitHubUserToken, and see and steer what becomes of its token",
		Long: `Log in to GitHub for a GitHubUserToken, and see and steer what becomes of its token.

The access token is printed by "token" and "credential-helper" alone, and the refresh token never. Only these two read a
Secret, and "login --web" creates one; the others need no permission for Secrets.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl ghut"},
		SilenceErrors: true, SilenceUsage: true,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w. Its flags: %s --help", err, cmd.CommandPath())
	})
	if e.flags != nil {
		e.flags.AddFlags(root.PersistentFlags())
	}
	root.AddCommand(
		newLogin(e), newStatus(e), newRefresh(e), newHold(e), newSuspend(e), newResume(e), newAdopt(e),
		newRevoke(e), newLogout(e), newTree(e), newCheck(e), newReport(e), newInstall(e), newToken(e), newCredentialHelper(e), newVersion(e),
	)
	addCompletion(e, root)
	return root
}
