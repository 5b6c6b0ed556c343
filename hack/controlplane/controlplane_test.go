package controlplane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane/binaries"
)

// childVariable makes the test binary run a control plane instead of tests, so
// that a test can kill the process that owns one.
const childVariable = "CONTROLPLANE_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		runChild(dir)
	}
	os.Exit(m.Run())
}

func runChild(dir string) {
	cp, err := controlplane.Start(context.Background(), controlplane.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("PIDS", cp.Etcd.PID(), cp.APIServer.PID(), cp.ControllerManager.PID())
	select {}
}

// TestControlPlane goes through the life of one control plane, in the order in
// which its users meet it.
func TestControlPlane(t *testing.T) {
	parent := t.TempDir()
	cp := start(t, controlplane.Options{
		Dir:         parent,
		Install:     []string{filepath.Join("testdata", "widgets")},
		ExtraSANs:   []string{"api.example.dev"},
		AuditPolicy: "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n",
	})
	client := clientFor(t, cp.AdminConfig())

	t.Run("a new namespace gets its ServiceAccount", func(t *testing.T) {
		createNamespace(t, client, "team-a")
		eventually(t, "the ServiceAccount default", func(ctx context.Context) error {
			_, err := client.CoreV1().ServiceAccounts("team-a").Get(ctx, "default", metav1.GetOptions{})
			return err
		})
	})

	t.Run("the audit log tells who did what", func(t *testing.T) {
		eventually(t, "the namespace's creation in the audit log", func(context.Context) error {
			log, err := os.ReadFile(cp.AuditLogPath())
			if err != nil {
				return err
			}
			for event := range strings.Lines(string(log)) {
				if strings.Contains(event, `"verb":"create"`) && strings.Contains(event, `"name":"team-a"`) &&
					strings.Contains(event, `"username":"admin"`) {
					return nil
				}
			}
			return errors.New("it is not there")
		})
	})

	t.Run("the API server's certificate holds the extra names", func(t *testing.T) {
		config := cp.AdminConfig()
		config.ServerName = "api.example.dev"
		if _, err := clientFor(t, config).Discovery().ServerVersion(); err != nil {
			t.Error(err)
		}
		config.ServerName = "other.example.dev"
		if _, err := clientFor(t, config).Discovery().ServerVersion(); err == nil {
			t.Error("a name was accepted that the certificate does not hold")
		}
	})

	t.Run("an object goes with its owner", func(t *testing.T) {
		owner := createConfigMap(t, client, "owner", nil)
		createConfigMap(t, client, "owned", []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID,
		}})
		if err := client.CoreV1().ConfigMaps("team-a").Delete(t.Context(), "owner", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventuallyGone(t, client, "owned")
	})

	t.Run("an object goes with its owner of an installed kind", func(t *testing.T) {
		kubectl(t, cp, "apply", "-f", filepath.Join("testdata", "widget.yaml"))
		uid := kubectl(t, cp, "get", "widget", "gear", "-n", "team-a", "-o", "jsonpath={.metadata.uid}")
		createConfigMap(t, client, "of-the-gear", []metav1.OwnerReference{{
			APIVersion: "example.dev/v1", Kind: "Widget", Name: "gear", UID: types.UID(uid),
		}})
		kubectl(t, cp, "delete", "widget", "gear", "-n", "team-a")
		eventuallyGone(t, client, "of-the-gear")
	})

	t.Run("a service account has the rights that RBAC gives it and no others", func(t *testing.T) {
		config, err := cp.ServiceAccountConfig(t.Context(), "team-a", "default")
		if err != nil {
			t.Fatal(err)
		}
		account := clientFor(t, config)
		review, err := account.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := review.Status.UserInfo.Username, "system:serviceaccount:team-a:default"; got != want {
			t.Errorf("the API server knows it as %s, want %s", got, want)
		}
		if _, err := account.CoreV1().Secrets("team-a").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("listing Secrets: %v, want forbidden", err)
		}
	})

	t.Run("a written kubeconfig says the same as its config", func(t *testing.T) {
		config, err := cp.UserConfig("jane", "engineers")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "new", "kubeconfig")
		if err := cp.WriteKubeconfig(path, config); err != nil {
			t.Fatal(err)
		}
		who := kubectl(t, cp, "--kubeconfig="+path, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
		if !strings.HasPrefix(who, "jane ") || !strings.Contains(who, "engineers") {
			t.Errorf("kubectl auth whoami says %s, want jane in engineers", who)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("its mode is %v, want 0600", info.Mode().Perm())
		}
	})

	t.Run("the API server refuses work while etcd is down, and goes on after", func(t *testing.T) {
		if err := cp.Etcd.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pid := cp.Etcd.PID(); pid != 0 {
			t.Errorf("etcd's process id is %d, want 0 while it is stopped", pid)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := client.CoreV1().Namespaces().Create(ctx, namespace("too-early"), metav1.CreateOptions{}); err == nil {
			t.Error("a namespace was created while etcd was down")
		}
		if err := cp.Etcd.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a namespace made after the outage", func(ctx context.Context) error {
			_, err := client.CoreV1().Namespaces().Create(ctx, namespace("after-etcd"), metav1.CreateOptions{})
			return err
		})
	})

	t.Run("a killed API server comes back on its port with its data", func(t *testing.T) {
		cp.APIServer.Kill()
		if err := cp.APIServer.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Namespaces().Get(t.Context(), "after-etcd", metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
	})

	t.Run("a suspended API server can be stopped", func(t *testing.T) {
		if err := cp.APIServer.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := cp.APIServer.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := cp.APIServer.Start(t.Context()); err != nil {
			t.Error(err)
		}
	})

	t.Run("a component that runs is not started twice", func(t *testing.T) {
		if err := cp.Etcd.Start(t.Context()); err == nil {
			t.Error("etcd was started twice")
		}
	})

	pids := []string{fmt.Sprint(cp.Etcd.PID()), fmt.Sprint(cp.APIServer.PID()), fmt.Sprint(cp.ControllerManager.PID())}
	cp.Stop()
	expectNothingLeft(t, parent, pids)
}

func TestControlPlaneComponentThatFailsIsExplained(t *testing.T) {
	parent := t.TempDir()
	cp, err := controlplane.Start(t.Context(), controlplane.Options{
		Dir:                parent,
		Log:                t.Output(),
		ExtraAPIServerArgs: []string{"--no-such-flag"},
	})
	if err == nil {
		cp.Stop()
		t.Fatal("it started with a flag that kube-apiserver does not know")
	}
	for _, want := range []string{"kube-apiserver did not become ready", "unknown flag: --no-such-flag"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	expectNothingLeft(t, parent, nil)
}

func TestControlPlaneNothingOutlivesAKilledParent(t *testing.T) {
	// Build first, so that the child need not be given time for it.
	if _, err := binaries.Find(t.Context(), t.Output(), binaries.ControlPlane...); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+parent)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(line)
	if len(pids) != 4 || pids[0] != "PIDS" {
		t.Fatalf("the child did not start a control plane: %s", line)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended well, want killed")
	}
	expectNothingLeft(t, parent, pids[1:])
}

func start(t *testing.T, options controlplane.Options) *controlplane.ControlPlane {
	t.Helper()
	options.Log = t.Output()
	cp, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cp.Stop)
	return cp
}

// expectNothingLeft checks that processes have ended and that parent is empty.
// A killed parent's children end and its folder goes within moments, not at once.
func expectNothingLeft(t *testing.T, parent string, pids []string) {
	t.Helper()
	for _, pid := range pids {
		eventually(t, "the end of process "+pid, func(context.Context) error {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if errors.Is(err, fs.ErrNotExist) || strings.Contains(string(stat), ") Z ") { // ended, or nobody has asked how
				return nil
			}
			return fmt.Errorf("process %s still runs", pid)
		})
	}
	eventually(t, "an empty folder", func(context.Context) error {
		left, err := os.ReadDir(parent)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("%s still holds %v", parent, left)
		}
		return nil
	})
}

// eventually asks again until there is no error, for at most half a minute.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %v", what, err)
		case <-ticker.C:
		}
	}
}

func eventuallyGone(t *testing.T, client kubernetes.Interface, configMap string) {
	t.Helper()
	eventually(t, "the end of ConfigMap "+configMap, func(ctx context.Context) error {
		_, err := client.CoreV1().ConfigMaps("team-a").Get(ctx, configMap, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return errors.New("it is still there")
		}
	})
}

func clientFor(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func kubectl(t *testing.T, cp *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	output, err := cp.Kubectl(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v: %s", args, err, output)
	}
	return string(output)
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func createNamespace(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace(name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func createConfigMap(t *testing.T, client kubernetes.Interface, name string, owners []metav1.OwnerReference) *corev1.ConfigMap {
	t.Helper()
	created, err := client.CoreV1().ConfigMaps("team-a").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return created
}
