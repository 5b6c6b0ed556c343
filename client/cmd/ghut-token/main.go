// Command ghut-token gets a user's GitHub token from the token server of github-user-token-operator: it prints it, hands it to git, or runs a
// command with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/githubusertoken/github-user-token-operator/client/internal/supervise"
)

// version is set by the build of a release.
var version = "dev"

// Exit codes of this program itself. A command that exec runs has its own.
const (
	codeFailed = 1
	codeUsage  = 2
)

const usage = `ghut-token gets a user's GitHub token from the token server, by the ServiceAccount of the pod.

  ghut-token print [--show]              print the token
  ghut-token credential get|store|erase  hand it to git, as its credential helper
  ghut-token exec -- COMMAND [ARG...]    run a command with GITHUB_TOKEN and GH_TOKEN set, and again with each new token
  ghut-token install FOLDER              copy this program into a folder, for other containers of the pod
  ghut-token version

Flags, each also by an environment variable:

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings...)
	t := &tool{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, lookup: os.LookupEnv,
		isTerminal: func() bool { return supervise.IsTerminal(os.Stdout) }, release: stop,
	}
	code := t.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// tool is this program, apart from the process.
type tool struct {
	in         io.Reader
	out, err   io.Writer
	lookup     func(string) (string, bool)
	isTerminal func() bool
	// release leaves signals to whoever asks for them next.
	release func()
}

// run carries out a command line, and returns the exit code.
func (t *tool) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		return t.fail(codeUsage, errors.New("say what to do: print, credential, exec or install; ghut-token help tells more"))
	}
	switch args[0] {
	case "print":
		return t.print(ctx, args[1:])
	case "credential":
		return t.credential(ctx, args[1:])
	case "exec":
		return t.exec(ctx, args[1:])
	case "install":
		return t.install(args[1:])
	case "version", "--version", "-version":
		_, _ = fmt.Fprintln(t.out, version)
		return 0
	case "help", "--help", "-help", "-h":
		_, _ = io.WriteString(t.out, usage)
		t.newFlags("help", t.out).set.PrintDefaults()
		return 0
	}
	return t.fail(codeUsage, fmt.Errorf("%q is none of print, credential, exec and install; ghut-token help tells more", args[0]))
}

// fail says what is wrong.
func (t *tool) fail(code int, err error) int {
	if !errors.Is(err, flag.ErrHelp) { // Help was printed.
		t.say("%v", err)
	}
	return code
}

func (t *tool) say(format string, args ...any) {
	_, _ = fmt.Fprintf(t.err, "ghut-token: "+format+"\n", args...)
}
