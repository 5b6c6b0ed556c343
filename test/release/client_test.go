package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// clientArchive is the name of the archive for a platform.
func clientArchive(platform string) string {
	return "ghut-token" + strings.TrimPrefix(pluginArchive(platform), "kubectl-ghut")
}

// The program of the image copies itself into a volume, as in docs/ghut-token.md, and the copy runs.
func TestReleaseClientImageInstallsItsProgram(t *testing.T) {
	w := released(t)
	ref, err := name.NewDigest(w.eachClient[0]) // That of this platform.
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, file(t, layers, strings.TrimPrefix(config.Config.Entrypoint[0], "/")), 0o700); err != nil {
		t.Fatal(err)
	}
	volume := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), program, "install", volume).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	said, err := exec.CommandContext(t.Context(), filepath.Join(volume, clientName), "version").CombinedOutput()
	if err != nil || strings.TrimSpace(string(said)) != version {
		t.Errorf("it says %s (%v)", said, err)
	}
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
