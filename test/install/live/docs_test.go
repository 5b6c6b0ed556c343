package live

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// documentedCommands are the shell commands under a heading of docs/operations.md.
func documentedCommands(t *testing.T, heading string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(content), "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/operations.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var commands []string
	for {
		_, rest, found := strings.Cut(section, "```sh\n")
		if !found {
			break
		}
		var command string
		command, section, _ = strings.Cut(rest, "```")
		commands = append(commands, command)
	}
	if len(commands) == 0 {
		t.Fatalf("docs/operations.md names no command under %q", heading)
	}
	return commands
}

// shell runs commands as the administrator who reads the documents, and returns what they say.
func (w *world) shell(command string) string {
	w.t.Helper()
	kubectl := w.Plane.Kubectl(w.t.Context())
	cmd := exec.CommandContext(w.t.Context(), "bash", "-euo", "pipefail", "-c", command)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Plane.AdminKubeconfig(), "PATH="+filepath.Dir(kubectl.Path)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}
