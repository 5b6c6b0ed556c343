//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// firstToken is within what time somebody who begins with a registered App has a token in a pod.
const firstToken = 2 * time.Minute

// TestE2EFirstTokenReachesAPodWithinTwoMinutes does what a newcomer does with an App that is registered, and nothing in the cluster but the
// operator and its login page: once by the plugin alone, with a code that is entered at GitHub, and once by a link of the login page.
func TestE2EFirstTokenReachesAPodWithinTwoMinutes(t *testing.T) {
	page := startLoginPage(t)
	somebody := newNewcomer(t)

	t.Run("by the plugin", func(t *testing.T) {
		const account = "first-by-plugin"
		began := time.Now()
		newNamespace(t, account, "restricted")
		command := somebody.begin(t, "ghut", "login", "octocat", "-n", account, "--create", "--app", clientID, "--host", githubHost,
			"--account", account, "--secret", "octocat-token")
		code := command.shows(regexp.MustCompile(`enter the code\n\n {4}(\S+)\n`))
		at := command.shows(regexp.MustCompile(`Open (https://\S+), signed in as`))
		browser := newPerson(t, page)
		browser.open(at)
		browser.press("Sign in", map[string]string{"login": account})
		browser.press("Continue", map[string]string{"user_code": code})
		browser.press("Continue", nil)
		browser.reaches("Congratulations, you're all set!")
		command.ends()
		t.Logf("the command took %.1f s, and says:\n%s%s", time.Since(began).Seconds(), command.err.String(), command.out.String())
		awaitInPod(t, token{t: t, namespace: account, name: "octocat", user: account}, began)
	})

	t.Run("by the login page", func(t *testing.T) {
		const account = "first-by-page"
		began := time.Now()
		newNamespace(t, account, "restricted")
		somebody.applies(t, fmt.Sprintf(`apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata: {name: octocat, namespace: %[1]s}
spec:
  app: {clientID: %[2]s, host: %[3]s, clientSecretRef: {name: github-app}}
  login: {methods: [WebFlow]}
  user: {login: %[1]s}
  secret: {name: octocat-token}
`, account, clientID, githubHost))
		link := ""
		eventually(t, deadline, "the resource offers a link", func() error {
			offered := get(t, account, "octocat", &v1alpha1.GitHubUserToken{}).Status.Authorization
			if offered == nil || offered.LoginURL == "" {
				return errors.New("there is none")
			}
			link = offered.LoginURL
			return nil
		})
		browser := newPerson(t, page)
		browser.open(link)
		browser.press("Go on to GitHub", nil)
		browser.reaches("Sign in to the stand-in for GitHub")
		browser.press("Sign in", map[string]string{"login": account})
		browser.press("Authorize "+clientID, nil)
		browser.reaches("Do you confirm?")
		browser.press("Yes, I confirm", nil)
		browser.reaches("You are logged in")
		awaitInPod(t, token{t: t, namespace: account, name: "octocat", user: account}, began)
	})
	checkLedger(t)
}

// awaitInPod runs a pod that mounts the Secret, and demands that what it finds in the file is the newest token, which GitHub takes from
// there, in time.
func awaitInPod(t *testing.T, k token, began time.Time) {
	t.Helper()
	pods := k.namespace + "-reader"
	deploy(t, job{
		namespace: k.namespace, name: pods, secret: "octocat-token",
		args: []string{"call", "/github/access_token", "https://" + githubHost + "/api/v3/user"},
	})
	want := fingerprint(k.newest())
	eventually(t, deadline, "a pod calls GitHub with the token in its file", func() error {
		told := reports.of(func(r report) bool {
			return strings.HasPrefix(r.Pod, pods+"-") && r.Event == "ok" && r.Fingerprint == want
		})
		if len(told) == 0 {
			return fmt.Errorf("none has told of %s; %s", want, reports.lastOf(pods+"-"))
		}
		took := told[0].At.Sub(began)
		t.Logf("from a registered App to a token in a pod it took %.1f s", took.Seconds())
		if took >= firstToken {
			t.Errorf("it took %s, want less than %s", took, firstToken)
		}
		return nil
	})
	k.awaitReady(deadline)
}

// newcomer is somebody with the role edit, kubectl, and the plugin.
type newcomer struct{ kubectl, path, kubeconfig string }

func newNewcomer(t *testing.T) newcomer {
	t.Helper()
	plugin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join("..", "..", "cmd", "kubectl-ghut"), "-o", filepath.Join(plugin, "kubectl-ghut"), ".")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, output)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "newcomer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "newcomer"}},
	}
	create(t, binding)
	t.Cleanup(func() {
		if err := api.Delete(context.Background(), binding); err != nil {
			t.Error(err)
		}
	})
	config, err := running.ControlPlane.UserConfig("newcomer")
	if err != nil {
		t.Fatal(err)
	}
	n := newcomer{kubectl: running.ControlPlane.Kubectl(t.Context()).Path, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	n.path = plugin + string(filepath.ListSeparator) + filepath.Dir(n.kubectl)
	if err := running.ControlPlane.WriteKubeconfig(n.kubeconfig, config); err != nil {
		t.Fatal(err)
	}
	return n
}

// command is one that is running.
type command struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err output
	ended    chan error
}

// output is written by a process while a test reads it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// begin starts "kubectl ARGS".
func (n newcomer) begin(t *testing.T, args ...string) *command {
	t.Helper()
	c := &command{t: t, cmd: exec.CommandContext(t.Context(), n.kubectl, args...), ended: make(chan error, 1)}
	c.cmd.Env = []string{"PATH=" + n.path, "KUBECONFIG=" + n.kubeconfig, "HOME=" + t.TempDir()}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c
}

// shows waits until the command has said something on standard error, and returns what stands in the parentheses.
func (c *command) shows(what *regexp.Regexp) (found string) {
	c.t.Helper()
	eventually(c.t, deadline, "the command says "+what.String(), func() error {
		match := what.FindStringSubmatch(c.err.String())
		if match == nil {
			return errors.New(c.out.String() + c.err.String())
		}
		found = match[1]
		return nil
	})
	return found
}

// ends waits for the end of the command, which must be a good one.
func (c *command) ends() {
	c.t.Helper()
	select {
	case err := <-c.ended:
		if err != nil {
			c.t.Fatalf("the command ends with %v: %s%s", err, c.out.String(), c.err.String())
		}
	case <-time.After(deadline):
		c.t.Fatalf("the command does not end: %s%s", c.out.String(), c.err.String())
	}
}

// applies applies a manifest.
func (n newcomer) applies(t *testing.T, manifest string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	n.begin(t, "apply", "-f", file).ends()
}
