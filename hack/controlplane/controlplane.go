// Package controlplane runs a real Kubernetes control plane on this machine: etcd,
// kube-apiserver and kube-controller-manager as child processes, with
// certificates, RBAC, garbage collection and service accounts as on any
// cluster. It needs no container engine and no root. The binaries are downloaded,
// or built from pinned Go modules, once, or taken from KUBEBUILDER_ASSETS.
//
// A test package starts one in its TestMain:
//
//	cp, err := controlplane.Start(ctx, controlplane.Options{Install: []string{"../config/crd"}})
//	if err != nil {
//		log.Fatal(err)
//	}
//	code := m.Run()
//	cp.Stop()
//	os.Exit(code)
//
// Nothing of it is left when this process ends, be it by Stop, by a signal or by
// a panic: the children are killed with their parent, and their folder is
// deleted.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

const loopback = "127.0.0.1"

// stopTimeout is how long Stop lets the components end by themselves. What they
// would still write is deleted with them.
const stopTimeout = 3 * time.Second

// Options say what differs from the usual control plane. The zero value is fine.
type Options struct {
	// Dir is the folder in which the control plane makes its own, which Stop
	// deletes. Default: the system's folder for temporary files.
	Dir string

	// Log takes the progress of a download or build, and one line about each start.
	// Default: standard error.
	Log io.Writer

	// Install lists kustomizations, or folders of manifests, to apply before
	// kube-controller-manager starts. It learns about resource types every
	// 30 s: of a CRD installed here it knows from the outset, so
	// that owner references of that kind count at once.
	Install []string

	// BindAddress is the address on which the API server listens. Default:
	// 127.0.0.1. Another is needed when pods are to reach it; 0.0.0.0 is all.
	BindAddress string

	// AdvertiseAddress is the address at which others reach the API server.
	// Default: BindAddress, or 127.0.0.1 if that is 0.0.0.0.
	AdvertiseAddress string

	// ExtraSANs are names and addresses that the API server's certificate
	// holds beside the usual.
	ExtraSANs []string

	// ExtraAPIServerArgs are put behind the other arguments of
	// kube-apiserver, and so override them.
	ExtraAPIServerArgs []string

	// AuditPolicy is a YAML document of kind audit.k8s.io/v1 Policy. With it
	// the API server writes an audit log, see AuditLogPath.
	AuditPolicy string
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	// Etcd, APIServer and ControllerManager can be stopped and started again
	// one by one, as a failing cluster would.
	Etcd, APIServer, ControllerManager *Process

	options   Options
	dir       files
	programs  map[binaries.Name]string
	authority *authority
	ports     []port
	host      string // URL of the API server
	admin     *rest.Config
	removal   *removal
	stop      sync.Once
}

// Start starts a control plane and returns when it serves: the API server is
// ready, and the ServiceAccount default stands in the namespace default, which
// is kube-controller-manager's sign of life. It takes some 5 s, and some
// minutes more on a machine that has yet to build the binaries.
//
// ctx bounds the start, not the life of the control plane: for that, see Stop.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	if options.Log == nil {
		options.Log = os.Stderr
	}
	if options.BindAddress == "" {
		options.BindAddress = loopback
	}
	if options.AdvertiseAddress == "" {
		options.AdvertiseAddress = options.BindAddress
		if options.BindAddress == "0.0.0.0" {
			options.AdvertiseAddress = loopback
		}
	}
	programs, err := binaries.Find(ctx, options.Log, binaries.ControlPlane...)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	dir, err := os.MkdirTemp(options.Dir, "control-plane-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the control plane: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("make a folder for the control plane: %w", err)
	}
	removal, err := removeWhenDone(dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	cp := &ControlPlane{options: options, dir: files(dir), programs: programs, removal: removal}
	if err := cp.start(ctx); err != nil {
		cp.Stop()
		return nil, fmt.Errorf("start the control plane: %w", err)
	}
	fmt.Fprintf(options.Log, "control plane: ready at %s after %.1f s\n", cp.host, time.Since(begin).Seconds())
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context) error {
	if err := cp.configure(); err != nil {
		return err
	}
	if err := cp.Etcd.Start(ctx); err != nil {
		return err
	}
	if err := cp.APIServer.Start(ctx); err != nil {
		return err
	}
	for _, path := range cp.options.Install {
		if err := cp.Apply(ctx, path); err != nil {
			return err
		}
	}
	if err := cp.ControllerManager.Start(ctx); err != nil {
		return err
	}
	return cp.awaitServiceAccount(ctx)
}

// awaitServiceAccount waits for what kube-controller-manager makes in a new cluster.
func (cp *ControlPlane) awaitServiceAccount(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(cp.AdminConfig())
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return nil
		}
		if !apierrors.IsNotFound(err) && ctx.Err() == nil {
			return fmt.Errorf("look for the ServiceAccount default: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kube-controller-manager made no ServiceAccount: %w; the end of its log:\n%s",
				ctx.Err(), tail(cp.ControllerManager.LogPath()))
		case <-ticker.C:
		}
	}
}

// Stop ends all components, clients first, and deletes the control plane's
// folder. It may be called again, and while Start runs no more.
func (cp *ControlPlane) Stop() {
	cp.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		for _, process := range []*Process{cp.ControllerManager, cp.APIServer, cp.Etcd} {
			if process == nil { // Start failed early
				continue
			}
			if err := process.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				fmt.Fprintf(cp.options.Log, "control plane: %v\n", err)
				process.Kill()
			}
		}
		for _, port := range cp.ports {
			port.release()
		}
		if err := cp.removal.now(); err != nil {
			fmt.Fprintf(cp.options.Log, "control plane: delete %s: %v\n", cp.dir, err)
		}
	})
}

// Dir is the control plane's folder, which Stop deletes.
func (cp *ControlPlane) Dir() string { return string(cp.dir) }

// AuditLogPath is the file to which the API server writes one JSON object of
// kind audit.k8s.io/v1 Event a line, if Options.AuditPolicy asks for it.
func (cp *ControlPlane) AuditLogPath() string { return cp.dir.path("audit.log") }

// Kubectl prepares a call of the control plane's kubectl, as its administrator.
func (cp *ControlPlane) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{
		"--kubeconfig=" + cp.AdminKubeconfig(),
		"--cache-dir=" + cp.dir.path("kubectl-cache"),
	}, args...)
	return exec.CommandContext(ctx, cp.programs[binaries.Kubectl], args...)
}
