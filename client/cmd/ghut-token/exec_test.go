//go:build unix

package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

// started is ghut-token as a process of its own.
type started struct {
	t    *testing.T
	cmd  *exec.Cmd
	said bytes.Buffer
	done chan error
}

func (w *world) start(args ...string) *started {
	w.t.Helper()
	s := &started{t: w.t, cmd: exec.CommandContext(w.t.Context(), os.Args[0], args...), done: make(chan error, 1)}
	s.cmd.Env = w.environ()
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	return s
}

// ends waits for the exit code.
func (s *started) ends(want int) {
	s.t.Helper()
	select {
	case err := <-s.done:
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		}
		if code != want {
			s.t.Errorf("it ended with %d, want %d: %s", code, want, strings.ReplaceAll(s.said.String(), "ghu_", ""))
		}
		if strings.Contains(s.said.String(), "ghu_") {
			s.t.Error("it prints the token")
		}
	case <-time.After(time.Minute):
		s.t.Fatal("it does not end")
	}
}

// holds waits until a file has a content.
func (w *world) holds(name, want string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		content, err := os.ReadFile(filepath.Join(w.folder, name))
		if err == nil && string(content) == want {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s does not get the expected content (%d bytes, %v)", name, len(content), err)
		}
	}
}

func TestExecRunsARealCommandThroughARotationToItsEnd(t *testing.T) {
	w := newWorld(t, "github.com")
	const script = `trap 'echo ended >"$0/ended"; exit 4' TERM; trap 'echo user >"$0/user"' USR1
printf %s "$MY_TOKEN" >"$0/seen"; while :; do sleep 0.05; done`
	s := w.start("exec", "--env", "MY_TOKEN", "--", "sh", "-c", script, w.folder)
	w.holds("seen", tokenOf(1).AccessToken)
	w.server.Rotate(tokenOf(2))
	w.holds("ended", "ended\n")
	w.holds("seen", tokenOf(2).AccessToken)
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	w.holds("user", "user\n")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.ends(4)
	for _, query := range w.server.Queries()[1:] {
		if query.Get("after") == "" {
			t.Errorf("it did not wait: %v", query)
		}
	}
}

// A server that says no, or is away, ends no command: it is said once, and the next token is taken when it comes.
func TestExecGoesOnWhileTheServerSaysNo(t *testing.T) {
	before := firstPause
	firstPause = 10 * time.Millisecond
	t.Cleanup(func() { firstPause = before })
	w := newWorld(t, "github.com")
	no := fakeserver.Failure{Status: http.StatusForbidden, Code: "forbidden", Message: "Not any more."}
	w.server.Fail(no, no, no, fakeserver.Failure{Status: http.StatusConflict, Code: "no_token", Message: "Log in."})
	w.server.Rotate(tokenOf(2))
	var said bytes.Buffer
	one := &tool{err: &said, lookup: func(name string) (string, bool) { value, ok := w.env[name]; return value, ok }}
	f, err := one.parse("exec", nil)
	if err != nil {
		t.Fatal(err)
	}
	from, err := f.newClient()
	if err != nil {
		t.Fatal(err)
	}
	if next := one.next(t.Context(), f, from, tokenOf(1).Fingerprint); next.Fingerprint != tokenOf(2).Fingerprint {
		t.Error("it has not the next token")
	}
	if strings.Count(said.String(), "Not any more.") != 1 || strings.Count(said.String(), "Log in.") != 1 || strings.Contains(said.String(), "ghu_") {
		t.Errorf("it says %q", said.String())
	}
}

func TestExecSetsTheVariablesThatToolsOfGitHubRead(t *testing.T) {
	w := newWorld(t, "github.com")
	w.env["GITHUB_TOKEN"] = "another"
	s := w.start("exec", "sh", "-c", `printf '%s %s' "$GITHUB_TOKEN" "$GH_TOKEN" >"$0/seen"; exit 9`, w.folder)
	s.ends(9)
	w.holds("seen", tokenOf(1).AccessToken+" "+tokenOf(1).AccessToken)
}
