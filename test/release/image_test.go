package release

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Whoever doubts an image builds it again: elsewhere, with another umask, language and time zone, and without pushing.
func TestReleaseImageHasTheSameDigestWhereverItIsBuilt(t *testing.T) {
	w := released(t)
	again, err := clone("elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"UMASK=077", "TZ=Pacific/Auckland", "LC_ALL=C", "GOAMD64=v2", "GOFLAGS=-buildvcs=false"}
	if _, err := w.make(again, env, "release-image", "PUSH=false"); err != nil {
		t.Fatal(err)
	}
	digests, err := lines(filepath.Join(again, "dist", "image.txt"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := slices.Concat([]string{w.image}, w.each, []string{w.client}, w.eachClient)
	for i, want := range wanted {
		if len(digests) != len(wanted) || digest(digests[i]) != digest(want) {
			t.Errorf("built again they have the digests\n%s\nand not\n%s", strings.Join(digests, "\n"), strings.Join(wanted, "\n"))
			break
		}
	}
	for _, part := range []string{product + "-linux-amd64", product + "-linux-arm64", product + "-index", clientName + "-linux-amd64", clientName + "-linux-arm64", clientName + "-index"} {
		file := filepath.Join("dist", "sbom", part+".spdx.json")
		one, err := os.ReadFile(filepath.Join(w.checkout, file))
		if err != nil {
			t.Fatal(err)
		}
		if other, err := os.ReadFile(filepath.Join(again, file)); err != nil || !bytes.Equal(one, other) {
			t.Errorf("%s is another one: %v", file, err)
		}
	}
}

// What is in no commit can be built by nobody else.
func TestReleaseImageIsNotBuiltFromChangesThatAreInNoCommit(t *testing.T) {
	w := released(t)
	dirty, err := clone("dirty")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirty, "more.go"), []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.make(dirty, nil, "release-image", "PUSH=false"); err == nil || !strings.Contains(err.Error(), "more.go") {
		t.Errorf("it was built: %v", err)
	}
}

func TestReleaseImageSaysWhatItIs(t *testing.T) {
	w := released(t)
	w.saysWhatItIs(t, w.image, w.each)
}

// So does that of ghut-token, of which an init container takes the program by its own command.
func TestReleaseClientImageSaysWhatItIs(t *testing.T) {
	w := released(t)
	w.saysWhatItIs(t, w.client, w.eachClient)
}

func (w *world) saysWhatItIs(t *testing.T, ofAll string, ofEach []string) {
	t.Helper()
	ref, err := name.NewDigest(ofAll)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	tag, err := remote.Head(ref.Tag(version))
	if err != nil || tag.Digest.String() != ref.DigestStr() {
		t.Errorf("the tag %s is %v, %v", version, tag, err)
	}
	revision := w.revision(t)
	if got := manifest.Annotations["org.opencontainers.image.revision"]; got != revision {
		t.Errorf("the index is of the revision %q, not of %s", got, revision)
	}
	var found []string
	for i, each := range manifest.Manifests {
		found = append(found, each.Platform.String())
		if ofEach[i] != ref.Context().Digest(each.Digest.String()).String() {
			t.Errorf("dist/image.txt has %s for %s, and the index %s", ofEach[i], each.Platform, each.Digest)
		}
		image, err := index.Image(each.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Config.User != "65532:65532" {
			t.Errorf("it runs as %q", config.Config.User)
		}
		if got := config.Config.Labels["org.opencontainers.image.version"]; got != version {
			t.Errorf("its label says that it is %q", got)
		}
		if got := config.Created.UTC().Format("2006-01-02T15:04:05Z"); got != "2026-01-02T03:04:05Z" {
			t.Errorf("it was made at %s, and its commit was not", got)
		}
		w.program(t, image, config.Config.Entrypoint, revision)
	}
	var want []string
	for _, platform := range platforms {
		want = append(want, platform.String())
	}
	if !slices.Equal(found, want) {
		t.Errorf("it is for %q and not for %q", found, want)
	}
}

// program looks at the program of an image.
func (w *world) program(t *testing.T, image v1.Image, entrypoint []string, revision string) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content := file(t, layers, strings.TrimPrefix(entrypoint[0], "/"))
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v", entrypoint, err)
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	for key, want := range map[string]string{"vcs.revision": revision, "vcs.modified": "false", "CGO_ENABLED": "0", "-trimpath": "true"} {
		if settings[key] != want {
			t.Errorf("the program was built with %s=%s and not %s", key, settings[key], want)
		}
	}
	if !bytes.Contains(content, []byte(version)) {
		t.Errorf("the program does not say that it is %s", version)
	}
	if found := file(t, layers, authoritiesPath); string(found) != authorities {
		t.Errorf("it trusts %q, and not whom its base trusts", found)
	}
}

// file is one of an image.
func file(t *testing.T, layers []v1.Layer, path string) []byte {
	t.Helper()
	for _, layer := range layers {
		stream, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		archive := tar.NewReader(stream)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimPrefix(header.Name, "/") == path {
				content, err := io.ReadAll(archive)
				if err != nil {
					t.Fatal(err)
				}
				return content
			}
		}
	}
	t.Fatalf("the image has no %s", path)
	return nil
}

// The SBOM of each platform names the modules of the program, with the versions of go.mod.
func TestReleaseSBOMNamesTheModulesOfTheProgram(t *testing.T) {
	w := released(t)
	for _, platform := range platforms {
		content, err := os.ReadFile(filepath.Join(w.checkout, "dist", "sbom", product+"-linux-"+platform.Architecture+".spdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var sbom struct {
			SPDXVersion string
			Packages    []struct{ Name, VersionInfo string }
		}
		if err := json.Unmarshal(content, &sbom); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(sbom.SPDXVersion, "SPDX-2.") {
			t.Errorf("it is %q", sbom.SPDXVersion)
		}
		has := map[string]string{}
		for _, pkg := range sbom.Packages {
			has[pkg.Name] = pkg.VersionInfo
		}
		for _, module := range []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/google/go-github/v89"} {
			list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", module)
			list.Dir = root
			want, err := list.Output()
			if err != nil {
				t.Fatal(err)
			}
			if has[module] != strings.TrimSpace(string(want)) {
				t.Errorf("%s of %s: %q, and go.mod has %s", module, platform, has[module], want)
			}
		}
	}
}

// digest is what a reference has behind its @.
func digest(ref string) string {
	_, digest, _ := strings.Cut(ref, "@")
	return digest
}

func (w *world) revision(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", w.checkout, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestReleaseRefusesOneRepositoryForBothImages(t *testing.T) {
	w := released(t)
	_, err := w.make(w.checkout, nil, "release-image", "PUSH=false", "CLIENT_IMAGE_REPO="+w.registry+"/"+product)
	if err == nil || !strings.Contains(err.Error(), "would be that of the other") {
		t.Errorf("one repository for both images: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.checkout, "dist", "image.txt")); err != nil {
		t.Errorf("what was made before is gone: %v", err)
	}
}
