package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientID     = "Iv23liPlugin"
	clientSecret = "0123456789abcdef0123456789abcdef01234567"
	// startTimeout is how long the programs may take to be built and to start.
	startTimeout = 10 * time.Minute
	// patience is how long a test waits for what must come.
	patience = time.Minute
)

// people are those who run the plugin. The editor has the role edit; the limited may edit GitHubUserTokens and list pods, and
// has no access to Secrets; the viewer may look at GitHubUserTokens, and at nothing else.
const (
	editor  = "editor"
	limited = "limited"
	viewer  = "viewer"
	admin   = "admin"
)

// logins are the accounts: each test has its own, since a revocation ends all that an App has of an account.
var logins = []string{"monalisa", "hubot", "octocat", "defunkt", "mojombo", "ghes", "wanstrath", "helper", "holder", "leaver", "reporter", "webber", "stranger", "surfer", "passerby"}

// callbacks are registered for the web flow, each as it is used.
var callbacks = []string{"http://127.0.0.1:8976/callback", "http://127.0.0.1:8977/callback", "http://127.0.0.1:8978/callback"}

var (
	world *stage.Stage
	// path is the PATH of the people: kubectl, and the plugin beside its completion.
	path        string
	kubeconfigs = map[string]string{}
)

func TestMain(m *testing.M) { suite.Main(m, play) }

func play(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if world, err = stage.Start(ctx, stage.Options{Root: filepath.Join("..", "..", ".."), Log: os.Stderr}); err != nil {
		return 1, err
	}
	defer world.Stop()
	err = world.StartGitHub(ctx, stage.GitHubOptions{
		Apps: []stage.App{{ClientID: clientID, Secret: credential.NewClientSecret(clientSecret), Callbacks: callbacks}}, Users: logins,
		AccessTokenLifetime: 8 * time.Hour, DeviceInterval: time.Second,
	})
	if err != nil {
		return 1, err
	}
	if err := world.StartOperator(ctx); err != nil {
		return 1, err
	}
	plugin, err := world.BuildPlugin(ctx, "v0.0.0-test")
	if err != nil {
		return 1, err
	}
	path = strings.Join([]string{plugin, filepath.Dir(world.Plane.Kubectl(ctx).Path), os.Getenv("PATH")}, string(filepath.ListSeparator))
	if err := makePeople(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// makePeople gives each their rights and a kubeconfig.
func makePeople(ctx context.Context) error {
	rights := world.Path("people.yaml")
	if err := os.WriteFile(rights, []byte(peopleRights), 0o600); err != nil {
		return err
	}
	if err := world.Plane.Apply(ctx, rights); err != nil {
		return err
	}
	for _, person := range []string{editor, limited, viewer} {
		config, err := world.Plane.UserConfig(person)
		if err != nil {
			return err
		}
		kubeconfigs[person] = world.Path(person + ".kubeconfig")
		if err := world.Plane.WriteKubeconfig(kubeconfigs[person], config); err != nil {
			return err
		}
	}
	kubeconfigs[admin] = world.Plane.AdminKubeconfig()
	// The roles of config/rbac are put into edit by a controller, which takes a moment.
	for {
		said, err := world.Kubectl(ctx, "auth", "can-i", "create", "githubusertokens.githubusertoken.dev", "--as="+editor, "-n", "default")
		if err == nil && strings.HasPrefix(said, "yes") {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the role edit does not get the rights of config/rbac")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

const peopleRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: people-editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: editor}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: people-limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: github-user-token-operator-githubusertoken-editor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: people-pods}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: people-pods}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: people-pods}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: people-viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: github-user-token-operator-githubusertoken-viewer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]
`

// run is a command of a person that has been started.
type run struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err safeBuffer
	ended    chan struct{}
}

// safeBuffer is written by a process while a test reads it.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// begin starts "kubectl ghut ARGS" for a person. Each has a home of their own, and no browser.
func begin(t *testing.T, person, input string, args ...string) *run {
	t.Helper()
	r := &run{t: t, ended: make(chan struct{})}
	r.cmd = exec.CommandContext(t.Context(), "kubectl", append([]string{"ghut"}, args...)...)
	r.cmd.Path, _ = lookIn(path, "kubectl")
	r.cmd.Err = nil
	r.cmd.Env = []string{"PATH=" + path, "KUBECONFIG=" + kubeconfigs[person], "HOME=" + t.TempDir()}
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = strings.NewReader(input), &r.out, &r.err
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait() // The exit code is in ProcessState.
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.ended
	})
	return r
}

// lookIn finds a program in a PATH.
func lookIn(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, name); isFile(file) {
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// exit waits for the end, and returns the exit code of the command. Nothing that it has printed may hold a token, unless the
// test asked for one.
func (r *run) exit() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatalf("it does not end:\n%s%s", r.out.String(), r.err.String())
	}
	leaksNothing(r.t, "standard error", r.err.String())
	return r.cmd.ProcessState.ExitCode()
}

// ghut runs a command that must exit with a code, and returns what it prints to both.
func ghut(t *testing.T, person string, code int, args ...string) string {
	t.Helper()
	r := begin(t, person, "", args...)
	if got := r.exit(); got != code {
		t.Fatalf("kubectl ghut %s exits with %d, want %d:\n%s%s", strings.Join(args, " "), got, code, r.out.String(), r.err.String())
	}
	leaksNothing(t, "standard output", r.out.String())
	return r.out.String() + r.err.String()
}

func leaksNothing(t *testing.T, what, text string) {
	t.Helper()
	if len(suite.FindTokens([]byte(text))) > 0 || suite.EncodedTokens.MatchString(text) || strings.Contains(text, clientSecret) {
		t.Errorf("%s holds a token or the client secret", what)
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

// kubectl does what the administrator types.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := world.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies manifests as the administrator.
func apply(t *testing.T, manifest string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "apply", "--server-side", "-f", file)
}

// namespace makes a namespace for a test.
func namespace(t *testing.T, name string) string {
	t.Helper()
	kubectl(t, "create", "namespace", name)
	return name
}

// seeded makes a resource with a token, of an account, and waits until it is ready.
func seeded(t *testing.T, ns, account string) {
	t.Helper()
	token, err := world.GitHub.Login(t.Context(), clientID, account)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {namespace: %[1]s, name: github-app}
stringData: {client_secret: %[2]q}
---
apiVersion: v1
kind: Secret
metadata: {namespace: %[1]s, name: %[3]s-seed}
stringData: {refresh_token: %[4]q}
---
apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata: {namespace: %[1]s, name: %[3]s}
spec:
  app: {clientID: %[5]s, clientSecretRef: {name: github-app}}
  refreshTokenRef: {name: %[3]s-seed}
  secret: {name: %[3]s-token}
  outputs: [{name: %[3]s-git, format: GitCredentials}]
`, ns, clientSecret, account, token.Reveal(), clientID))
	kubectl(t, "wait", "--for=condition=Ready", "ghut/"+account, "-n", ns, "--timeout=60s")
}

func get(t *testing.T, ns, name string) *v1alpha1.GitHubUserToken {
	t.Helper()
	token := &v1alpha1.GitHubUserToken{}
	if err := json.Unmarshal([]byte(kubectl(t, "get", "ghut", name, "-n", ns, "-o", "json")), token); err != nil {
		t.Fatal(err)
	}
	return token
}

// until waits until a resource is as it should be.
func until(t *testing.T, ns, name, what string, holds func(*v1alpha1.GitHubUserToken) bool) *v1alpha1.GitHubUserToken {
	t.Helper()
	var token *v1alpha1.GitHubUserToken
	suite.Eventually(t, patience, what, func() (bool, string) {
		token = get(t, ns, name)
		return holds(token), suite.Describe(token)
	})
	return token
}

func isReady(token *v1alpha1.GitHubUserToken) bool {
	return meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady)
}

// atGitHub calls the stand-in's admin side.
func atGitHub(t *testing.T, path string, values url.Values) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, world.GitHub.Admin()+path+"?"+values.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		t.Fatalf("the stand-in answers %s with %s: %s", path, response.Status, text)
	}
}

// aliveAtGitHub reports whether an access token is good.
func aliveAtGitHub(t *testing.T, token string) bool {
	t.Helper()
	state, err := world.GitHub.State(t.Context(), credential.NewAccessToken(token))
	if err != nil {
		t.Fatal(err)
	}
	return state.Alive
}

// complete is what kubectl offers a person's shell.
func complete(t *testing.T, person string, words ...string) string {
	t.Helper()
	file, err := lookIn(path, "kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, append([]string{"__complete"}, words...)...)
	cmd.Env = []string{"PATH=" + path, "KUBECONFIG=" + kubeconfigs[person], "HOME=" + t.TempDir()}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl __complete %s: %v", strings.Join(words, " "), err)
	}
	return string(out)
}
