package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// comesBack reports whether this machine's git keeps a state for its helpers, and asks them again in the same command: 2.46 and later.
func comesBack(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "git version %d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 2 || major == 2 && minor >= 46
}

// The token rotates between git's question and its request: a git that comes back gets the next one within the command, and an older
// one fails once and works the next time.
func TestGitWhoseTokenIsRefusedGetsTheNextOne(t *testing.T) {
	s := newGitServer(t, tokenOf(2).AccessToken)
	w := newWorld(t, strings.TrimPrefix(s.URL, "https://"))
	s.onRefusal = func() { w.server.Rotate(tokenOf(2)) }
	out, err := w.gitOf(s, "ls-remote", s.URL+"/octocat/app.git")
	if worked := err == nil; worked != comesBack(t) || s.refused != 1 {
		t.Errorf("worked: %t, refused %d times: %s", worked, s.refused, out)
	}
	if err == nil {
		queries := w.server.Queries()
		if last := queries[len(queries)-1]; last.Get("stale") != tokenOf(1).Fingerprint {
			t.Errorf("the server was asked for %v", last)
		}
	}
	if out, err := w.gitOf(s, "ls-remote", s.URL+"/octocat/app.git"); err != nil || s.refused != 1 {
		t.Errorf("the next command: %v, refused %d times: %s", err, s.refused, out)
	}
}
