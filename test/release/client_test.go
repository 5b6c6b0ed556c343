package release

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clientArchive is the name of the archive for a platform.
func clientArchive(platform string) string {
	return "ghut-token" + strings.TrimPrefix(pluginArchive(platform), "kubectl-ghut")
}

func TestReleaseClientRuns(t *testing.T) {
	w := released(t)
	for i, platform := range pluginPlatforms {
		folder := t.TempDir()
		names := unpack(t, filepath.Join(w.checkout, "dist", "client", clientArchive(platform)), folder)
		program := "ghut-token"
		if strings.HasPrefix(platform, "windows/") {
			program += ".exe"
		}
		if want := []string{"LICENSE", program}; !slices.Equal(names, want) {
			t.Errorf("%s holds %q, want %q", platform, names, want)
		}
		if i > 0 {
			continue // It does not run here.
		}
		said, err := exec.CommandContext(t.Context(), filepath.Join(folder, program), "version").CombinedOutput()
		if err != nil || strings.TrimSpace(string(said)) != version {
			t.Errorf("it says %s (%v)", said, err)
		}
	}
}
