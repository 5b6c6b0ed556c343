//go:build linux

// Package cluster runs a whole Kubernetes cluster on this machine, as root: the control plane of package
// controlplane, kube-scheduler, and nodes of package node. There is no kube-proxy, no DNS and no way out:
// pods reach the API server, and what the caller lets them reach (Forward, Serve, ServeService).
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
	"github.com/githubusertoken/github-user-token-operator/test/e2e/node"
)

// readyTimeout bounds how long a node may take to become ready.
const readyTimeout = 3 * time.Minute

// Options describe a cluster.
type Options struct {
	// Nodes is how many nodes it has, named node-1, node-2 and so on. At most 200.
	Nodes int
	// ServiceAddresses are addresses that pods may be served at, see node.Node.Listen. Choose them from
	// 10.96.0.0/16, but not the first.
	ServiceAddresses []string
	// Images are tar files with images, to be loaded into all nodes.
	Images []string
	// PauseImage is the reference of the one among them whose program does nothing for ever.
	PauseImage string
	// AuditPolicy is that of controlplane.Options.
	AuditPolicy string
	// Log takes the progress.
	Log io.Writer
}

// Cluster is a running cluster.
type Cluster struct {
	// ControlPlane of the cluster.
	ControlPlane *controlplane.ControlPlane
	// Client is the administrator's.
	Client kubernetes.Interface
	// Nodes of the cluster, in the order of their names.
	Nodes []*node.Node

	log       io.Writer
	dir       *controlplane.TempDir
	scheduler *controlplane.Process
	release   func()
	egress    *egress
}

// Start starts a cluster and returns when its nodes are ready. Whatever fails, nothing is left running.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	dir, err := controlplane.NewTempDir("", "cluster-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{log: options.Log, dir: dir, release: func() {}}
	if err := c.start(ctx, options); err != nil {
		return nil, errors.Join(fmt.Errorf("start the cluster: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, options Options) (err error) {
	if c.egress, err = startEgress(c.dir.Path("egress.sock")); err != nil {
		return err
	}
	if err := os.WriteFile(c.dir.Path("egress.yaml"), []byte(egressConfig(c.egress.path)), 0o600); err != nil {
		return err
	}
	c.ControlPlane, err = controlplane.Start(ctx, controlplane.Options{
		Log:         options.Log,
		AuditPolicy: options.AuditPolicy,
		ExtraAPIServerArgs: []string{
			"--egress-selector-config-file=" + c.dir.Path("egress.yaml"),
		},
	})
	if err != nil {
		return err
	}
	if c.Client, err = kubernetes.NewForConfig(c.ControlPlane.AdminConfig()); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := c.startScheduler(ctx); err != nil {
		return err
	}
	for i := range options.Nodes {
		started, err := node.Start(ctx, node.Options{
			Name:             "node-" + strconv.Itoa(i+1),
			Number:           i + 1,
			ServiceAddresses: options.ServiceAddresses,
			PauseImage:       options.PauseImage,
			ControlPlane:     c.ControlPlane,
			Log:              options.Log,
		})
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, started)
		c.egress.add(started)
		for _, image := range options.Images {
			if err := started.Import(ctx, image); err != nil {
				return err
			}
		}
	}
	return c.awaitNodes(ctx)
}

func (c *Cluster) startScheduler(ctx context.Context) error {
	programs, err := binaries.Find(ctx, c.log, binaries.KubeScheduler)
	if err != nil {
		return err
	}
	config, err := c.ControlPlane.UserConfig("system:kube-scheduler")
	if err != nil {
		return err
	}
	kubeconfig := c.dir.Path("scheduler.kubeconfig")
	if err := c.ControlPlane.WriteKubeconfig(kubeconfig, config); err != nil {
		return err
	}
	address, release, err := controlplane.ReserveAddress()
	if err != nil {
		return err
	}
	c.release = release
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	certificate, key, err := c.ControlPlane.IssueServingCertificate("system:kube-scheduler", host)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"scheduler.crt": certificate, "scheduler.key": key} {
		if err := os.WriteFile(c.dir.Path(name), content, 0o600); err != nil {
			return err
		}
	}
	c.scheduler = controlplane.NewProcess(controlplane.Program{
		Name: string(binaries.KubeScheduler),
		Path: programs[binaries.KubeScheduler],
		Args: []string{
			"--kubeconfig=" + kubeconfig,
			"--authentication-kubeconfig=" + kubeconfig,
			"--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=" + host,
			"--secure-port=" + port,
			"--tls-cert-file=" + c.dir.Path("scheduler.crt"),
			"--tls-private-key-file=" + c.dir.Path("scheduler.key"),
			"--leader-elect=false", // there is no other
		},
		Dir:     filepath.Dir(kubeconfig),
		LogPath: c.dir.Path("scheduler.log"),
		Ready: func(ctx context.Context) error {
			connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return connection.Close()
		},
	})
	return c.scheduler.Start(ctx)
}

// awaitNodes waits until the scheduler may place pods on every node.
func (c *Cluster) awaitNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		problem := c.unready(ctx)
		if problem == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(problem, ctx.Err())
		case <-ticker.C:
		}
	}
}

func (c *Cluster) unready(ctx context.Context) error {
	for _, n := range c.Nodes {
		found, err := c.Client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(found.Spec.Taints) > 0 {
			return fmt.Errorf("%s has the taint %s", n.Name, found.Spec.Taints[0].Key)
		}
		ready := slices.ContainsFunc(found.Status.Conditions, func(condition corev1.NodeCondition) bool {
			return condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
		})
		if !ready {
			return fmt.Errorf("%s is not ready", n.Name)
		}
	}
	return nil
}

// Forward lets the pods of all nodes reach a server on this machine at one of the service addresses.
func (c *Cluster) Forward(address, server string) error {
	for _, n := range c.Nodes {
		if err := n.Forward(address, server); err != nil {
			return err
		}
	}
	return nil
}

// Serve serves HTTP to the pods of all nodes at one of the service addresses, until Stop.
func (c *Cluster) Serve(address string, handler http.Handler) error {
	for _, n := range c.Nodes {
		listener, err := n.Listen(address)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }() // until the node is stopped
	}
	return nil
}

// Node returns the node of a name.
func (c *Cluster) Node(name string) (*node.Node, error) {
	for _, n := range c.Nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node is named %q", name)
}

// LogPaths are the files that tell what the cluster's programs did, apart from the control plane's. They
// go away with the cluster.
func (c *Cluster) LogPaths() []string {
	paths := []string{c.dir.Path("scheduler.log")}
	for _, n := range c.Nodes {
		paths = append(paths, n.LogPaths()...)
	}
	return paths
}

// ContainerLogPaths are the files with what the containers of all pods that are there have written.
func (c *Cluster) ContainerLogPaths() ([]string, error) {
	var paths []string
	for _, n := range c.Nodes {
		found, err := n.ContainerLogPaths()
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// Stop ends the cluster, at once, and removes everything that belongs to it.
func (c *Cluster) Stop() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.Stop())
	}
	if c.scheduler != nil {
		c.scheduler.Kill()
	}
	c.release()
	if c.ControlPlane != nil {
		c.ControlPlane.Stop()
	}
	if c.egress != nil {
		errs = append(errs, c.egress.Close())
	}
	return errors.Join(append(errs, c.dir.Remove())...)
}
