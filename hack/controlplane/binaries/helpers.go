package binaries

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// modulePath is the module whose hack/tools holds the helper modules.
const modulePath = "github.com/githubusertoken/github-user-token-operator"

// helper is a module under hack/tools that pins binaries. They cannot be pinned
// by the operator's own go.mod: k8s.io/kubernetes alone would choose the
// version of half of its dependencies.
type helper struct {
	name     string
	dir      string              // below hack/tools
	module   string              // the required module whose version is that of the binaries
	packages map[Name]string     // what to build
	ldflags  func(string) string // for a version such as v1.37.1
	env      []string            // of the build, beside the usual
	tags     string
	official func(version, platform string, name Name) official // where the project publishes them, if it is used
}

// helpers are in the order in which they are seen to: where the network answers for
// one site only, Kubernetes is what takes the longest to build.
var helpers = []helper{
	{
		name:   "kubernetes",
		dir:    "kubernetes",
		module: "k8s.io/kubernetes",
		packages: map[Name]string{
			KubeAPIServer:         "k8s.io/kubernetes/cmd/kube-apiserver",
			KubeControllerManager: "k8s.io/kubernetes/cmd/kube-controller-manager",
			KubeScheduler:         "k8s.io/kubernetes/cmd/kube-scheduler",
			Kubelet:               "k8s.io/kubernetes/cmd/kubelet",
			Kubectl:               "k8s.io/kubernetes/cmd/kubectl",
		},
		ldflags:  kubernetesLDFlags,
		official: kubernetesOfficial,
	},
	{
		name:     "etcd",
		dir:      "etcd",
		module:   "go.etcd.io/etcd/server/v3",
		packages: map[Name]string{Etcd: "go.etcd.io/etcd/server/v3"},
		ldflags:  func(string) string { return "-s -w" },
		official: etcdOfficial,
	},
	{
		name:   "containerd",
		dir:    "node/containerd",
		module: "github.com/containerd/containerd/v2",
		packages: map[Name]string{
			Containerd:     "github.com/containerd/containerd/v2/cmd/containerd",
			ContainerdShim: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			Ctr:            "github.com/containerd/containerd/v2/cmd/ctr",
		},
		tags: "no_btrfs,no_devmapper,no_zfs", // snapshotters that no node here uses
		ldflags: func(version string) string {
			return "-s -w -X github.com/containerd/containerd/v2/version.Version=" + version
		},
	},
	{
		name:     "runc",
		dir:      "node/runc",
		module:   "github.com/opencontainers/runc",
		packages: map[Name]string{Runc: "github.com/opencontainers/runc"},
		tags:     "seccomp",
		env:      []string{"CGO_ENABLED=1"}, // with a C compiler, pkg-config and libseccomp-dev
		ldflags:  func(string) string { return "-s -w" },
	},
}

// kubernetesLDFlags sets what Kubernetes' own release build sets. Without a
// version the components call themselves v0.0.0 and refuse to start.
func kubernetesLDFlags(version string) string {
	const pkg = "k8s.io/component-base/version"
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	return fmt.Sprintf("-s -w -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s -X %[1]s.gitTreeState=clean",
		pkg, version, major, minor)
}

// helperOf returns the helper module that builds a binary.
func helperOf(name Name) (helper, error) {
	for _, h := range helpers {
		if _, ok := h.packages[name]; ok {
			return h, nil
		}
	}
	return helper{}, fmt.Errorf("no module under hack/tools builds %q", name)
}

// release is a helper module as it stands in this checkout.
type release struct {
	helper
	source  string            // the helper module's folder
	version string            // of the binaries, such as v1.37.1
	cache   string            // where they are kept, outside version control
	sums    map[string]string // of official files, see checksums.txt
}

// read finds the helper module in the checkout and works out where its binaries
// are kept. The folder's name holds a hash of everything that decides what
// is built, so checkouts with the same pins share binaries and others
// do not disturb them.
func (h helper) read() (release, error) {
	root, err := repositoryRoot()
	if err != nil {
		return release{}, err
	}
	source := filepath.Join(root, "hack", "tools", h.dir)
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return release{}, fmt.Errorf("read the pinned version of %s: %w", h.name, err)
	}
	sum, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return release{}, fmt.Errorf("read the checksums of %s: %w", h.name, err)
	}
	match := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(h.module) + `\s+(v\S+)`).FindSubmatch(mod)
	if match == nil {
		return release{}, fmt.Errorf("%s does not require %s", filepath.Join(source, "go.mod"), h.module)
	}
	version := string(match[1])

	hash := sha256.New()
	fmt.Fprintf(hash, "%s/%s\n%s\n%v\n", runtime.GOOS, runtime.GOARCH, h.tags, h.env)
	hash.Write(mod)
	hash.Write(sum)

	sums, err := parseChecksums(checksumsText)
	if err != nil {
		return release{}, err
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return release{}, fmt.Errorf("find the cache directory for the control plane's binaries (set HOME or XDG_CACHE_HOME): %w", err)
	}
	return release{
		helper:  h,
		source:  source,
		version: version,
		cache: filepath.Join(user, "github-user-token-operator",
			h.name+"-"+version+"-"+hex.EncodeToString(hash.Sum(nil))[:12]),
		sums: sums,
	}, nil
}

// path is where a binary of this release is kept once it is there.
func (r release) path(name Name) string {
	if _, sum, ok := r.pinned(name); ok {
		if path := r.officialPath(sum, name); isExecutable(path) {
			return path
		}
	}
	return r.builtPath(name)
}

func (r release) builtPath(name Name) string {
	return filepath.Join(r.cache, "bin", string(name))
}

// repositoryRoot finds this module's folder from the working directory, which
// go test and go run set to a folder of the checkout.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find the checkout: %w", err)
		}
		if line, _, _ := strings.Cut(string(mod), "\n"); strings.TrimSpace(line) == "module "+modulePath {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("the working directory is not inside a checkout of %s, which pins the control plane's versions", modulePath)
		}
		dir = parent
	}
}
