package release

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// root is the folder of the checkout, seen from here.
	root = "../.."
	// version is that of the release which is made here.
	version = "v0.0.0-rc.1"
	product = "github-user-token-operator"
	// clientName is what the image of ghut-token is called.
	clientName = "ghut-token"
	// clientRepository is where it is pushed to, which need not have its name.
	clientRepository = "for-agents"
)

// platforms are those for which there is an image.
var platforms = []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}

// shared is made once, since every test looks at another side of the same release.
var (
	shared     = sync.OnceValues(newWorld)
	sharedPath string
)

func TestMain(m *testing.M) {
	var err error
	if sharedPath, err = os.MkdirTemp("", "release-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	if os.Getenv("KEEP") == "" {
		os.RemoveAll(sharedPath)
	}
	os.Exit(code)
}

// world is a registry, and a release that was made and pushed to it.
type world struct {
	// registry is its address, and checkout the folder in which the release was made.
	registry, checkout string
	// tools are the pinned programs, by the variables of make.
	tools []string
	// base is the image on which that of the release is built.
	base string
	// image is that of the release by digest, and each is that of each platform; client and eachClient are those of ghut-token.
	image, client    string
	each, eachClient []string
	// chart is the chart by digest.
	chart string
}

// released returns the release that all tests share.
func released(t *testing.T) *world {
	t.Helper()
	w, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func newWorld() (*world, error) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	w := &world{registry: strings.TrimPrefix(server.URL, "http://")}
	if err := w.build(); err != nil {
		return nil, err
	}
	var err error
	if w.base, err = w.pushBase(); err != nil {
		return nil, fmt.Errorf("push the base image: %w", err)
	}
	if w.checkout, err = clone("one"); err != nil {
		return nil, err
	}
	for _, target := range []string{"release-image", "release-chart", "release-plugin", "release-client", "release-files"} {
		if out, err := w.make(w.checkout, nil, target); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, out)
		}
	}
	images, err := lines(filepath.Join(w.checkout, "dist", "image.txt"))
	if err != nil {
		return nil, err
	}
	if want := 2 * (1 + len(platforms)); len(images) != want {
		return nil, fmt.Errorf("dist/image.txt names %d images, and not %d: %q", len(images), want, images)
	}
	w.image, w.each = images[0], images[1:1+len(platforms)]
	w.client, w.eachClient = images[1+len(platforms)], images[2+len(platforms):]
	charts, err := lines(filepath.Join(w.checkout, "dist", "chart.txt"))
	if err != nil {
		return nil, err
	}
	w.chart = charts[0]
	return w, nil
}

// build has make build the pinned programs into bin, where they may be already.
func (w *world) build() error {
	bin, err := filepath.Abs(filepath.Join(root, "bin"))
	if err != nil {
		return err
	}
	targets := []string{"-C", root}
	for _, tool := range []string{"ko", "helm", "kustomize", "cosign"} {
		program := filepath.Join(bin, tool)
		targets = append(targets, program)
		w.tools = append(w.tools, strings.ToUpper(tool)+"="+program)
	}
	if out, err := exec.Command("make", targets...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the pinned programs: %w\n%s", err, out)
	}
	return nil
}

// make runs a target as the workflow of a release does, with the registry in place of the real one.
func (w *world) make(checkout string, env []string, target string, variables ...string) (string, error) {
	args := append([]string{"-C", checkout, target}, w.tools...)
	args = append(args,
		"VERSION="+version, "IMAGE_REPO="+w.registry+"/"+product, "CLIENT_IMAGE_REPO="+w.registry+"/"+clientRepository, "CHART_REPO=oci://"+w.registry+"/charts",
		"BASE_IMAGE="+w.base, "HELM_PUSH_ARGS=--plain-http", "PLUGIN_PLATFORMS="+strings.Join(pluginPlatforms, " "))
	const run = `umask "${UMASK:-022}"; exec make "$@"`
	cmd := exec.Command("bash", append([]string{"-c", run, "bash"}, append(args, variables...)...)...)
	// The version of Go is that of this machine: no other can be had everywhere.
	cmd.Env = append(append(os.Environ(), "GOTOOLCHAIN=local"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("make %s: %w\n%s", target, err, out)
	}
	return string(out), nil
}

// tool runs one of the pinned programs.
func (w *world) tool(t *testing.T, name string, env []string, args ...string) (string, error) {
	t.Helper()
	program := ""
	for _, tool := range w.tools {
		if variable, path, _ := strings.Cut(tool, "="); variable == strings.ToUpper(name) {
			program = path
		}
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	home := t.TempDir()
	cmd.Env = append(append(os.Environ(), "HOME="+home, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// clone makes a checkout of one commit, with what the files are now, whatever git has of them: the same commit each time.
func clone(name string) (string, error) {
	checkout := filepath.Join(sharedPath, name, product)
	const script = `set -euo pipefail
mkdir -p "$1"
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
	tar --null --create --files-from=- | tar --extract --directory "$1"
cd "$1"
sed -i "s/^## \[Unreleased\]$/## [${2#v}] - 2026-01-02/" CHANGELOG.md # As whoever makes a release does.
export GIT_CONFIG_GLOBAL=/dev/null # Before, whoever owns this checkout may have to be named there as safe.
git init --quiet --initial-branch=main
git add --all
git -c core.hooksPath=/dev/null -c commit.gpgsign=false commit --quiet --message=Release
`
	cmd := exec.Command("bash", "-c", script, "clone", checkout, version)
	cmd.Dir = root
	cmd.Env = append(os.Environ(),
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("clone the checkout: %w\n%s", err, out)
	}
	return checkout, nil
}

// authoritiesPath is where the base image has its CA certificates, and authorities what stands there here.
const (
	authoritiesPath = "etc/ssl/certs/ca-certificates.crt"
	authorities     = "the certificates of this base\n"
)

// pushBase pushes an image in the place of distroless, with the file of it that the operator looks for.
func (w *world) pushBase() (string, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	if err := archive.WriteHeader(&tar.Header{Name: authoritiesPath, Mode: 0o644, Size: int64(len(authorities)), Typeflag: tar.TypeReg}); err != nil {
		return "", err
	}
	if _, err := io.WriteString(archive, authorities); err != nil {
		return "", err
	}
	if err := archive.Close(); err != nil {
		return "", err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	if err != nil {
		return "", err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
		if err != nil {
			return "", err
		}
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{
			OS: platform.OS, Architecture: platform.Architecture, RootFS: rootFS(image),
			Config: v1.Config{Env: []string{"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}},
		})
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	tag, err := name.NewTag(w.registry + "/base:nonroot")
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		return "", err
	}
	digest, err := index.Digest()
	return tag.String() + "@" + digest.String(), err
}

func rootFS(image v1.Image) v1.RootFS {
	config, err := image.ConfigFile()
	if err != nil {
		return v1.RootFS{}
	}
	return config.RootFS
}

// lines are those of a file, of which there must be one.
func lines(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := strings.Fields(string(content))
	if len(found) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return found, nil
}
