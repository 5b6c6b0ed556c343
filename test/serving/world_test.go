package serving

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientID = "Iv23liServing"
	// patience is how long a test waits for what must come.
	patience = time.Minute
	// scopedUser is whose tokens are limited: GitHub makes ten an hour of a user's.
	scopedUser = "monalisa"
	// reader is the role that is shipped.
	reader = "github-user-token-operator-token-reader"
)

// the is what all tests of this package share.
var the struct {
	stage   *stage.Stage
	admin   client.Client
	core    kubernetes.Interface
	servers []*stage.TokenServer
	http    *http.Client
	secret  credential.ClientSecret

	// released is how many tokens the shared servers have given out.
	released atomic.Int64
	mu       sync.Mutex
	// secrets are the tokens that were shown and those that were given.
	secrets map[string]bool
}

func TestMain(m *testing.M) { suite.Main(m, run) }

func run(m *testing.M) (int, error) {
	if err := suite.Parallel(8); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	log.SetLogger(logr.Discard())
	the.secrets, the.secret = map[string]bool{}, credential.NewClientSecret("an-app-of-the-test")
	var err error
	if the.stage, err = stage.Start(ctx, stage.Options{Log: os.Stderr}); err != nil {
		return 1, err
	}
	defer the.stage.Stop()
	scheme, err := stage.Scheme()
	if err != nil {
		return 1, err
	}
	config := the.stage.Plane.AdminConfig()
	config.QPS = -1
	if the.admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	if the.core, err = kubernetes.NewForConfig(config); err != nil {
		return 1, err
	}
	if err := the.stage.StartGitHub(ctx, stage.GitHubOptions{
		Apps: []stage.App{{ClientID: clientID, Secret: the.secret, Installations: []githubtest.Installation{{
			Account: "octo-org", AccountID: 9919, Permissions: map[string]string{"contents": "write", "issues": "read"},
			Repositories: []githubtest.Repository{{ID: 1296269, Name: "hello-world"}, {ID: 2, Name: "other"}},
		}}}},
		Users: []string{"octocat", scopedUser}, AccessTokenLifetime: 8 * time.Hour, Quiet: true,
	}); err != nil {
		return 1, err
	}
	if err := the.stage.StartOperator(ctx, "--leader-elect=false", "--enable-scoped-outputs"); err != nil {
		return 1, err
	}
	for range 2 {
		server, err := the.stage.StartTokenServer(ctx)
		if err != nil {
			return 1, err
		}
		the.servers = append(the.servers, server)
	}
	if the.http, err = clientFor(the.servers[0]); err != nil {
		return 1, err
	}
	code := m.Run()
	return code, judgeLogs()
}

// clientFor trusts the authorities of servers.
func clientFor(servers ...*stage.TokenServer) (*http.Client, error) {
	pool := x509.NewCertPool()
	for _, server := range append(servers, the.servers...) {
		content, err := os.ReadFile(server.CAFile)
		if err != nil {
			return nil, err
		}
		pool.AppendCertsFromPEM(content)
	}
	return &http.Client{
		Timeout:       6 * time.Minute,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// judgeLogs holds the logs of all programs against what must not be in them, and those of the servers against what must.
func judgeLogs() error {
	the.mu.Lock()
	defer the.mu.Unlock()
	var failed []error
	audited := int64(0)
	paths := []string{the.stage.Operator.LogPath()}
	for _, server := range the.servers {
		paths = append(paths, server.Process.LogPath())
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := suite.FindTokens(content); len(found) > 0 {
			failed = append(failed, fmt.Errorf("%s holds %d tokens of GitHub", path, len(found)))
		}
		for secret := range the.secrets {
			if strings.Contains(string(content), secret) {
				failed = append(failed, fmt.Errorf("%s holds a token that was shown or given", path))
			}
		}
		audited += int64(strings.Count(string(content), `"msg":"A token is given out"`))
	}
	if released := the.released.Load(); audited != released || released == 0 {
		failed = append(failed, fmt.Errorf("the logs tell of %d tokens that were given out, and %d were", audited, released))
	}
	return errors.Join(failed...)
}

// world is what a test has: a namespace of its own for a resource, and one for pods that hold no Secret.
type world struct {
	t               testing.TB
	namespace, pods string
}

var worlds atomic.Int32

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, "octocat")
}

// newWorldOf has the resource be of an account.
func newWorldOf(t testing.TB, user string) *world {
	t.Helper()
	n := worlds.Add(1)
	w := &world{t: t, namespace: fmt.Sprintf("team-%d", n), pods: fmt.Sprintf("agents-%d", n)}
	for _, name := range []string{w.namespace, w.pods} {
		w.must(the.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	seed, err := the.stage.GitHub.Login(t.Context(), clientID, user)
	w.must(err)
	w.secret("github-app", "client_secret", the.secret.Reveal())
	w.secret("octocat-seed", "refresh_token", seed.Reveal())
	w.must(the.admin.Create(t.Context(), suite.Resource(w.namespace, "octocat", "", clientID)))
	suite.Eventually(t, patience, "the resource is ready", func() (bool, string) {
		resource := w.resource()
		return meta.IsStatusConditionTrue(resource.Status.Conditions, v1alpha1.ConditionReady), suite.Describe(resource)
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) secret(name, key, value string) {
	w.t.Helper()
	w.must(the.admin.Create(w.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, StringData: map[string]string{key: value}}))
}

func (w *world) resource() *v1alpha1.GitHubUserToken {
	w.t.Helper()
	resource := &v1alpha1.GitHubUserToken{}
	w.must(the.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "octocat"}, resource))
	return resource
}

// stored is the access token in the pair Secret.
func (w *world) stored() credential.AccessToken {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(the.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "octocat-token"}, secret))
	return credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken]))
}

// rotate asks for an exchange.
func (w *world) rotate(request string) {
	w.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRefreshRequestedAt, request)
	w.must(the.admin.Patch(w.t.Context(), w.resource(), client.RawPatch("application/merge-patch+json", []byte(patch))))
}

// pod makes a pod that nobody runs, and its ServiceAccount, and returns what it may show.
func (w *world) pod(account string) *corev1.Pod {
	w.t.Helper()
	w.must(client.IgnoreAlreadyExists(the.admin.Create(w.t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.pods, Name: account}})))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.pods, GenerateName: account + "-"},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "agent", Image: "agent"}}},
	}
	w.must(the.admin.Create(w.t.Context(), pod))
	return pod
}

// token is that of a pod's ServiceAccount, for an audience, and bound to the pod unless that is nil.
func (w *world) token(account, audience string, pod *corev1.Pod) string {
	w.t.Helper()
	return w.tokenIn(w.pods, account, audience, pod)
}

func (w *world) tokenIn(namespace, account, audience string, pod *corev1.Pod) string {
	w.t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{}}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	if pod != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	made, err := the.core.CoreV1().ServiceAccounts(namespace).CreateToken(w.t.Context(), account, request, metav1.CreateOptions{})
	w.must(err)
	remember(made.Status.Token)
	return made.Status.Token
}

func remember(secret string) {
	the.mu.Lock()
	defer the.mu.Unlock()
	the.secrets[secret] = true
}

// shown is the token of a new pod, for the servers' audience.
func (w *world) shown(account string) string {
	w.t.Helper()
	return w.token(account, stage.Audience, w.pod(account))
}

// grant binds an account to a role in the namespace of the resource, and takes effect.
func (w *world) grant(account, role string) *rbacv1.RoleBinding {
	w.t.Helper()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: account + "-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.pods, Name: account}},
	}
	w.must(the.admin.Create(w.t.Context(), binding))
	return binding
}

// answer is what a server says.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
	took   time.Duration
}

func (a answer) token() credential.AccessToken {
	text, _ := a.body["accessToken"].(string)
	return credential.NewAccessToken(text)
}

func (a answer) fingerprint() string { text, _ := a.body["fingerprint"].(string); return text }

// String leaves out the token.
func (a answer) String() string {
	return fmt.Sprintf("%d %v %v after %s", a.status, a.body["error"], a.body["message"], a.took)
}

// ask asks a server. What it gives out is counted, and never shown.
func (w *world) ask(server int, shown, query string) answer {
	w.t.Helper()
	return w.askOf(server, shown, "/v1/namespaces/"+w.namespace+"/githubusertokens/octocat/token"+query)
}

func (w *world) askOf(server int, shown, path string) answer {
	w.t.Helper()
	got, err := askAt(w.t.Context(), the.http, the.servers[server].URL+path, shown)
	w.must(err)
	if got.status == http.StatusOK {
		the.released.Add(1)
	}
	return got
}

func askAt(ctx context.Context, through *http.Client, url, shown string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if shown != "" {
		request.Header.Set("Authorization", "Bearer "+shown)
	}
	began := time.Now()
	response, err := through.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{status: response.StatusCode, header: response.Header, text: string(content), took: time.Since(began)}
	if token := got.token(); !token.IsZero() {
		remember(token.Reveal())
	}
	return got, json.Unmarshal(content, &got.body)
}

// allowed waits until an account may: the API server hears of a binding a moment later.
func (w *world) allowed(shown string) answer {
	w.t.Helper()
	var got answer
	suite.Eventually(w.t, patience, "the account may", func() (bool, string) {
		got = w.ask(0, shown, "")
		return got.status == http.StatusOK, got.String()
	})
	return got
}
