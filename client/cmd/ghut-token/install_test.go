package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An init container brings the program into a pod: the copy runs, and is all that is there.
func TestTokenCommandInstallsItself(t *testing.T) {
	w := newWorld(t, "github.com")
	folder := t.TempDir()
	for range 2 { // A container that is started again finds the one of before.
		if got := w.run("", "install", folder); got.code != 0 || got.out+got.err != "" {
			t.Fatalf("code %d: %s%s", got.code, got.out, got.err)
		}
	}
	copied := filepath.Join(folder, "ghut-token")
	mine, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o755 {
		t.Errorf("others have the rights %s", info.Mode())
	}
	if one, other := read(t, copied), read(t, mine); !bytes.Equal(one, other) {
		t.Errorf("it has %d bytes, and this program %d", len(one), len(other))
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("there are %v, %v", left, err)
	}
	command := exec.CommandContext(t.Context(), copied, "print")
	command.Env = w.environ()
	if out, err := command.Output(); err != nil || string(out) != tokenOf(1).AccessToken+"\n" {
		t.Errorf("the copy does not print the token: %v", err)
	}
}

func TestTokenCommandSaysWhyItIsNotInstalled(t *testing.T) {
	w := newWorld(t, "github.com")
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no folder":               {nil, codeUsage, "install FOLDER"},
		"two":                     {[]string{"a", "b"}, codeUsage, "install FOLDER"},
		"a folder that is not":    {[]string{filepath.Join(w.folder, "none")}, codeFailed, "cannot be copied"},
		"a file and no folder":    {[]string{w.env["GHUT_CA_FILE"]}, codeFailed, "cannot be copied"},
		"a name that is too long": {[]string{strings.Repeat("a", 5000)}, codeFailed, "cannot be copied"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.run("", append([]string{"install"}, test.args...)...); got.code != test.code || !strings.Contains(got.err, test.says) {
				t.Errorf("code %d: %s", got.code, got.err)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
