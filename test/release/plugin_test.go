package release

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pluginPlatforms are those for which the plugin is built here: this one, and one that differs in all. A release has more.
var pluginPlatforms = []string{runtime.GOOS + "/" + runtime.GOARCH, "windows/arm64"}

// pluginArchive is the name of the archive for a platform.
func pluginArchive(platform string) string {
	system, architecture, _ := strings.Cut(platform, "/")
	return "kubectl-ghut_" + strings.TrimPrefix(version, "v") + "_" + system + "_" + architecture + ".tar.gz"
}

// unpack writes the files of an archive into a folder, and returns their names.
func unpack(t *testing.T, archive, folder string) []string {
	t.Helper()
	packed, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	zipped, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for read := tar.NewReader(zipped); ; {
		header, err := read.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(names)
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if header.Uid != 0 || header.Uname != "" {
			t.Errorf("%s belongs to %d (%s)", header.Name, header.Uid, header.Uname)
		}
		name := filepath.Base(header.Name)
		names = append(names, name)
		content, err := io.ReadAll(read)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, header.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReleasePluginRunsAndKrewFindsIt(t *testing.T) {
	w := released(t)
	plugin := filepath.Join(w.checkout, "dist", "plugin")
	var manifest struct {
		Spec struct {
			Version   string
			Platforms []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, SHA256, Bin string
				Files            []struct{ From, To string }
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(text(t, filepath.Join(plugin, "ghut.yaml"))), &struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
		Spec             any
	}{}); err != nil {
		t.Error(err)
	}
	if err := yaml.Unmarshal([]byte(text(t, filepath.Join(plugin, "ghut.yaml"))), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Spec.Version != version || len(manifest.Spec.Platforms) != len(pluginPlatforms) {
		t.Fatalf("the manifest is of %s, for %d platforms", manifest.Spec.Version, len(manifest.Spec.Platforms))
	}
	for i, platform := range pluginPlatforms {
		of := manifest.Spec.Platforms[i]
		archive := pluginArchive(platform)
		content, err := os.ReadFile(filepath.Join(plugin, archive))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if of.SHA256 != hex.EncodeToString(sum[:]) || !strings.HasSuffix(of.URI, "/releases/download/"+version+"/"+archive) ||
			of.Selector.MatchLabels["os"]+"/"+of.Selector.MatchLabels["arch"] != platform {
			t.Errorf("the manifest says of %s: %+v", platform, of)
		}
		folder := t.TempDir()
		names := unpack(t, filepath.Join(plugin, archive), folder)
		if want := []string{"LICENSE", of.Bin, "kubectl_complete-ghut"}; !slices.Equal(names, want) {
			t.Errorf("%s holds %q, want %q", archive, names, want)
		}
		for _, file := range of.Files {
			if !slices.Contains(names, file.From) {
				t.Errorf("the manifest wants %s, which is not in %s", file.From, archive)
			}
		}
		if i > 0 {
			continue // It does not run here.
		}
		said, err := exec.CommandContext(t.Context(), filepath.Join(folder, of.Bin), "version", "--client").CombinedOutput()
		if err != nil || !strings.Contains(string(said), version) {
			t.Errorf("it says %s (%v)", said, err)
		}
		script, err := exec.CommandContext(t.Context(), filepath.Join(folder, of.Bin), "completion", "kubectl").Output()
		if err != nil || string(script) != text(t, filepath.Join(folder, "kubectl_complete-ghut")) {
			t.Errorf("the script beside it is not the one that it prints (%v)", err)
		}
	}
}
