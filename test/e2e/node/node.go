//go:build linux

// Package node runs real Kubernetes nodes on this machine: kubelet, containerd and runc, as root. Each
// node lives in PID, mount and network namespaces of its own, much like a node of kind, but without a
// container engine: when its first process ends, be it by Stop or because this process was killed, the
// kernel ends all others and takes back all mounts and networks. The machine's interfaces, routes,
// packet filters, /run and /var/lib are not touched.
//
// A node's network leads nowhere. Pods reach what Listen and Forward offer on the services' addresses.
package node

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

//go:embed init.sh
var initScript []byte

//go:embed containerd.toml
var containerdConfig string

//go:embed kubelet.yaml
var kubeletConfig string

//go:embed cni.conflist
var cniConfig string

// cniPlugins is where Debian's containernetworking-plugins puts them.
const cniPlugins = "/usr/lib/cni"

// APIServerAddress is where pods and the kubelet find the API server: the first address of the
// Services' range, as in-cluster clients expect it.
const APIServerAddress = "10.96.0.1:443"

// Options describe a node.
type Options struct {
	// Name of the node.
	Name string
	// Number is the third byte of the pods' network 10.244.NUMBER.0/24. Nodes of one cluster differ in it.
	Number int
	// ServiceAddresses are addresses, beside the API server's, on which Listen may listen.
	ServiceAddresses []string
	// PauseImage is the reference of an image whose program does nothing for ever. It must be imported
	// before the first pod arrives.
	PauseImage string
	// ControlPlane of the cluster.
	ControlPlane *controlplane.ControlPlane
	// Log takes the progress of a build of the node's programs, and what could not be removed.
	Log io.Writer
}

// Node is a running node.
type Node struct {
	// Name of the node.
	Name string
	// Address of the node in its own network.
	Address string

	dir      string
	log      io.Writer
	programs map[binaries.Name]string
	space    *controlplane.Process // unshare, the parent of the first process
	pid      int                   // of the first process
	cleaner  *cleaner
	closers  []io.Closer
}

// Start starts a node and returns when its processes run. Whether the cluster finds it ready is to be
// seen in the cluster.
func Start(ctx context.Context, options Options) (*Node, error) {
	programs, err := binaries.Find(ctx, options.Log, binaries.Node...)
	if err != nil {
		return nil, err
	}
	if err := removeLeftovers(); err != nil {
		return nil, err
	}
	n := &Node{
		Name:     options.Name,
		Address:  fmt.Sprintf("10.244.%d.1", options.Number),
		log:      options.Log,
		programs: programs,
	}
	cgroup := namePrefix + strconv.Itoa(os.Getpid()) + "-" + options.Name
	n.dir = filepath.Join(os.TempDir(), cgroup)
	if err := os.Mkdir(n.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the node's folder: %w", err)
	}
	if n.cleaner, err = cleanWhenDone(cgroup, n.dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(n.dir))
	}
	if err := n.start(ctx, options, cgroup); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", n.Name, err), n.Stop())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context, options Options, cgroup string) error {
	if err := n.writeFiles(options, cgroup); err != nil {
		return err
	}
	api, err := netip.ParseAddrPort(APIServerAddress)
	if err != nil {
		return err
	}
	services := append([]string{api.Addr().String()}, options.ServiceAddresses...)
	var path []string
	for _, program := range []binaries.Name{binaries.Containerd, binaries.Kubelet, binaries.Runc} {
		path = append(path, filepath.Dir(n.programs[program]))
	}
	n.space = controlplane.NewProcess(controlplane.Program{
		Name: n.Name,
		Path: "/usr/bin/unshare",
		Args: []string{
			"--fork", "--kill-child", "--pid", "--mount", "--mount-proc", "--net",
			"/bin/sh", filepath.Join(n.dir, "init.sh"),
		},
		Env: []string{
			"NODE_DIR=" + n.dir, "NODE_NAME=" + n.Name, "NODE_ADDRESS=" + n.Address,
			"NODE_SERVICES=" + strings.Join(services, " "), "HOME=" + n.dir,
			"PATH=" + strings.Join(append(path, "/usr/sbin", "/usr/bin", "/sbin", "/bin"), ":"),
		},
		Dir:     n.dir,
		LogPath: filepath.Join(n.dir, "init.log"),
		Ready: func(context.Context) error {
			_, err := os.Stat(filepath.Join(n.dir, "prepared"))
			return err
		},
	})
	if err := n.space.Start(ctx); err != nil {
		return err
	}
	if n.pid, err = onlyChild(n.space.PID()); err != nil {
		return err
	}
	apiServer := strings.TrimPrefix(options.ControlPlane.AdminConfig().Host, "https://")
	if err := n.Forward(APIServerAddress, apiServer); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.dir, "begin"), nil, 0o600); err != nil {
		return err
	}
	return poll(ctx, func() error { return n.command(ctx, n.programs[binaries.Ctr], "version").Run() })
}

// writeFiles writes what the first process reads.
func (n *Node) writeFiles(options Options, cgroup string) error {
	cp := options.ControlPlane
	values := map[string]string{
		"Dir":        n.dir,
		"Cgroup":     cgroup,
		"Authority":  cp.AuthorityPath(),
		"Runc":       n.programs[binaries.Runc],
		"CNIPlugins": cniPlugins,
		"PauseImage": options.PauseImage,
		"Address":    n.Address,
		"Subnet":     fmt.Sprintf("10.244.%d.0/24", options.Number),
	}
	certificate, key, err := cp.IssueServingCertificate("system:node:"+n.Name, n.Address, n.Name)
	if err != nil {
		return err
	}
	files := map[string][]byte{"init.sh": initScript, "kubelet.crt": certificate, "kubelet.key": key}
	for name, text := range map[string]string{
		"containerd.toml": containerdConfig, "kubelet.yaml": kubeletConfig, "cni/pods.conflist": cniConfig,
	} {
		parsed, err := template.New(name).Option("missingkey=error").Parse(text)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		var filled bytes.Buffer
		if err := parsed.Execute(&filled, values); err != nil {
			return fmt.Errorf("fill in %s: %w", name, err)
		}
		files[name] = filled.Bytes()
	}
	for name, content := range files {
		path := filepath.Join(n.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	config, err := cp.UserConfig("system:node:"+n.Name, "system:nodes")
	if err != nil {
		return err
	}
	config.Host = "https://" + APIServerAddress
	return cp.WriteKubeconfig(filepath.Join(n.dir, "kubelet.kubeconfig"), config)
}

// command prepares a program that runs in the node.
func (n *Node) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	args = append([]string{"--target", strconv.Itoa(n.pid), "--mount", "--net", "--pid", "--", program}, args...)
	return exec.CommandContext(ctx, "nsenter", args...)
}

// Import loads an image, a tar file as docker save makes it, into the node.
func (n *Node) Import(ctx context.Context, path string) error {
	output, err := n.command(ctx, n.programs[binaries.Ctr], "-n", "k8s.io", "images", "import", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("import %s into %s: %w: %s", path, n.Name, err, bytes.TrimSpace(output))
	}
	return nil
}

// KillContainer kills the first process of a running container, by the id that the pod's status gives
// (containerd://ID), as an out-of-memory kill would.
func (n *Node) KillContainer(ctx context.Context, id string) error {
	id = strings.TrimPrefix(id, "containerd://")
	output, err := n.command(ctx, n.programs[binaries.Ctr], "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", id).CombinedOutput()
	if err != nil {
		return fmt.Errorf("kill container %s on %s: %w: %s", id, n.Name, err, bytes.TrimSpace(output))
	}
	return nil
}

// LogPaths are the files that tell what the node's own programs did. They go away with the node.
func (n *Node) LogPaths() []string {
	return []string{filepath.Join(n.dir, "init.log"), filepath.Join(n.dir, "containerd.log"), filepath.Join(n.dir, "kubelet.log")}
}

// ContainerLogPaths are the files with what the containers of the pods that are on the node have written, in this run and,
// where the kubelet keeps that, in the one before.
func (n *Node) ContainerLogPaths() ([]string, error) {
	return filepath.Glob(filepath.Join(n.dir, "log", "pods", "*", "*", "*.log*"))
}

// Stop ends everything that runs in the node, at once, and removes what it has left on the machine.
func (n *Node) Stop() error {
	var errs []error
	for _, closer := range n.closers {
		errs = append(errs, closer.Close())
	}
	n.closers = nil
	if n.space != nil {
		// The first process ends when all others of the node have, and its parent after it.
		if n.pid != 0 {
			errs = append(errs, killAndAwait(n.pid, n.space))
		}
		n.space.Kill()
	}
	return errors.Join(append(errs, n.cleaner.now())...)
}
