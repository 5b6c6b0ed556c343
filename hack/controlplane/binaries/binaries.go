// Package binaries finds the programs of the local control plane. Once for each
// version it downloads the official ones whose checksums are pinned in
// checksums.txt, and builds the others from Go modules pinned under hack/tools. It
// imports nothing but the standard library, so that a first build soon begins to
// show its progress.
package binaries

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Name names a program of the control plane or of a node.
type Name string

// The programs that this package finds or builds.
const (
	Etcd                  Name = "etcd"
	KubeAPIServer         Name = "kube-apiserver"
	KubeControllerManager Name = "kube-controller-manager"
	KubeScheduler         Name = "kube-scheduler"
	Kubelet               Name = "kubelet"
	Kubectl               Name = "kubectl"
	Containerd            Name = "containerd"
	ContainerdShim        Name = "containerd-shim-runc-v2"
	Ctr                   Name = "ctr"
	Runc                  Name = "runc"
)

// ControlPlane lists what a control plane without nodes consists of, and kubectl.
var ControlPlane = []Name{Etcd, KubeAPIServer, KubeControllerManager, Kubectl}

// assetsVariable names the environment variable by which envtest and
// kubebuilder are told where the binaries are.
const assetsVariable = "KUBEBUILDER_ASSETS"

// Node lists what a node consists of, beside a control plane. It runs on Linux
// only, as root, and building runc takes Debian's gcc, pkg-config and
// libseccomp-dev. containerd finds its shim in the same folder if that is in PATH.
var Node = []Name{Kubelet, KubeScheduler, Containerd, ContainerdShim, Ctr, Runc}

// envtestBinaries are those that every KUBEBUILDER_ASSETS folder must hold.
var envtestBinaries = []Name{Etcd, KubeAPIServer, Kubectl}

// Find returns the paths of the named programs, and downloads or builds those that
// this machine does not have yet, writing its progress to log. Building takes
// Go, some minutes of CPU and, once, a network for Go modules. A network in which
// official releases cannot be had costs three seconds.
//
// If KUBEBUILDER_ASSETS is set, etcd, kube-apiserver and kubectl must be in
// that folder, and others are taken from it when they are there.
// Otherwise they are kept in the user's cache directory, one folder for each
// pinned version. CONTROL_PLANE_MIRROR may name a server from which official
// releases are downloaded instead of their own sites; off is for none.
func Find(ctx context.Context, log io.Writer, names ...Name) (map[Name]string, error) {
	paths := map[Name]string{}
	missing := map[string][]Name{} // by helper
	for _, name := range names {
		path, err := fromAssets(name)
		if err != nil {
			return nil, err
		}
		if path != "" {
			paths[name] = path
			continue
		}
		h, err := helperOf(name)
		if err != nil {
			return nil, err
		}
		missing[h.name] = append(missing[h.name], name)
	}
	d := newDownloads(log, os.Getenv(mirrorVariable))
	for _, h := range helpers {
		wanted := missing[h.name]
		if len(wanted) == 0 {
			continue
		}
		r, err := h.read()
		if err != nil {
			return nil, err
		}
		if err := r.ensure(ctx, log, d, wanted); err != nil {
			return nil, err
		}
		for _, name := range wanted {
			paths[name] = r.path(name)
		}
	}
	return paths, nil
}

// fromAssets looks a program up in KUBEBUILDER_ASSETS; "" means: it is not to be taken from there.
func fromAssets(name Name) (string, error) {
	assets := os.Getenv(assetsVariable)
	if assets == "" {
		return "", nil
	}
	path, err := filepath.Abs(filepath.Join(assets, string(name)))
	if err != nil {
		return "", fmt.Errorf("find %s in %s: %w", name, assetsVariable, err)
	}
	if isExecutable(path) {
		return path, nil
	}
	if slices.Contains(envtestBinaries, name) {
		return "", fmt.Errorf("%s is set to %s, which has no %s: correct it, or unset it to have the pinned version built",
			assetsVariable, assets, name)
	}
	return "", nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
