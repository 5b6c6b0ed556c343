package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientID  = "Iv23liBrowser"
	namespace = "default"
	// webClientID and clientSecret are those of the App of the web flow.
	webClientID  = "Iv23liWeb"
	clientSecret = "0123456789abcdef0123456789abcdef01234567"
	// visitClientID is that of the App of the login page itself.
	visitClientID = "Iv23liVisits"
	// startTimeout is how long the programs may take to be built and to start.
	startTimeout = 10 * time.Minute
	// patience is how long a test waits for what must come.
	patience = time.Minute
)

// visitApp is the App of the login page itself.
var visitApp = stage.App{
	ClientID: visitClientID, Secret: credential.NewClientSecret(clientSecret), Callbacks: []string{stage.LoginPageURL + "/callback"},
}

// logins are the accounts: each test has its own, since a revocation ends all that an App has of an account.
var logins = []string{"monalisa", "hubot", "octocat", "defunkt", "mojombo", "ghes", "ada", "grace", "edsger", "barbara", "donald", "margaret"}

var (
	world   *stage.Stage
	browser context.Context
)

func TestMain(m *testing.M) { suite.Main(m, play) }

// play runs the tests on a stage with a browser.
func play(m *testing.M) (code int, err error) {
	path, err := findBrowser()
	if err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if world, err = stage.Start(ctx, stage.Options{Root: filepath.Join("..", ".."), Log: os.Stderr}); err != nil {
		return 1, err
	}
	defer world.Stop()
	err = world.StartGitHub(ctx, stage.GitHubOptions{
		Apps: []stage.App{
			{ClientID: clientID},
			{ClientID: webClientID, Secret: credential.NewClientSecret(clientSecret), Callbacks: []string{stage.LoginPageURL + "/callback"}},
			visitApp,
		},
		Users:               logins,
		AccessTokenLifetime: 8 * time.Hour, DeviceInterval: time.Second,
	})
	if err != nil {
		return 1, err
	}
	// By its own address the stand-in is an Enterprise Server with a private certificate authority.
	if err := world.StartOperator(ctx, "--allowed-hosts=github.com,"+world.GitHub.Host(), "--login-page-url="+stage.LoginPageURL); err != nil {
		return 1, err
	}
	page, err := world.StartLoginPage(ctx, stage.LoginPageOptions{MyTokens: visitApp, MyTokensHost: "github.com"})
	if err != nil {
		return 1, err
	}
	var end func()
	if browser, end, err = startBrowser(context.Background(), path, world.GitHub, page); err != nil {
		return 1, err
	}
	defer end()
	return m.Run(), nil
}

// kubectl does what the person types. What it prints must hold no token.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := world.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	leaksNothing(t, "what kubectl "+strings.Join(args, " ")+" prints", out)
	return out
}

// resource is one GitHubUserToken.
type resource struct {
	t    *testing.T
	name string
}

// apply applies a resource with the device flow and, beside it, the given lines of its spec.
func apply(t *testing.T, name string, spec ...string) *resource {
	t.Helper()
	return applyApp(t, "{clientID: "+clientID+"}", name, spec...)
}

// applyApp is apply for any App.
func applyApp(t *testing.T, app, name string, spec ...string) *resource {
	t.Helper()
	applyManifest(t, fmt.Sprintf(`apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata:
  name: %s
  namespace: %s
spec:
  app: %s
  login:
    methods: [DeviceFlow]
%s
`, name, namespace, app, strings.Join(spec, "\n")))
	return &resource{t, name}
}

func applyManifest(t *testing.T, manifest string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "apply", "-f", path)
}

func (r *resource) get() *v1alpha1.GitHubUserToken {
	r.t.Helper()
	token := &v1alpha1.GitHubUserToken{}
	r.read(kubectl(r.t, "get", "ghut", r.name, "-n", namespace, "-o", "json"), token)
	return token
}

func (r *resource) read(content string, into any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(content), into); err != nil {
		r.t.Fatalf("read what kubectl prints: %v", err)
	}
}

// until waits until the resource is as it should be, and returns it.
func (r *resource) until(what string, holds func(*v1alpha1.GitHubUserToken) bool) *v1alpha1.GitHubUserToken {
	r.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		token := r.get()
		if holds(token) {
			return token
		}
		if time.Now().After(end) {
			status, err := json.Marshal(token.Status)
			r.t.Fatalf("not within %s: %s; the status is %s (%v)", patience, what, status, err)
		}
	}
}

// askForAnotherCode does what the condition says when no code is offered any more.
func (r *resource) askForAnotherCode() {
	r.t.Helper()
	kubectl(r.t, "annotate", "ghut", r.name, "-n", namespace, v1alpha1.AnnotationRefreshRequestedAt+"=now")
}

// code waits for a code other than the last, and returns where to enter it.
func (r *resource) code(last string) v1alpha1.Authorization {
	r.t.Helper()
	return *r.until("the status shows a new code", func(token *v1alpha1.GitHubUserToken) bool {
		return token.Status.Authorization != nil && token.Status.Authorization.UserCode != last
	}).Status.Authorization
}

// ready waits until the resource is Ready, and demands a pair in its Secret that is alive at GitHub. It
// returns when the access token was stored, and the token's fingerprint.
func (r *resource) ready() (time.Time, credential.Fingerprint) {
	r.t.Helper()
	token := r.until("Ready is True", func(token *v1alpha1.GitHubUserToken) bool {
		return meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) &&
			meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	})
	if token.Status.Authorization != nil {
		r.t.Errorf("the code is still shown")
	}
	content, err := world.Kubectl(r.t.Context(), "get", "secret", token.Status.SecretName, "-n", namespace, "-o", "json")
	if err != nil {
		r.t.Fatal(err)
	}
	var secret corev1.Secret
	r.read(content, &secret)
	access := credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken]))
	refresh := credential.NewRefreshToken(string(secret.Data[v1alpha1.KeyRefreshToken]))
	for _, half := range []interface{ Reveal() string }{access, refresh} {
		if state, err := world.GitHub.State(r.t.Context(), half); err != nil || !state.Alive {
			r.t.Fatalf("a half of the pair in the Secret is not alive at GitHub (%v)", err)
		}
	}
	return token.Status.LastRefreshTime.Time, access.Fingerprint()
}

// reason waits for a condition with a status and a reason, and returns its message.
func (r *resource) reason(kind, status, reason string) string {
	r.t.Helper()
	token := r.until(fmt.Sprintf("%s=%s (%s)", kind, status, reason), func(token *v1alpha1.GitHubUserToken) bool {
		c := meta.FindStatusCondition(token.Status.Conditions, kind)
		return c != nil && string(c.Status) == status && c.Reason == reason
	})
	return meta.FindStatusCondition(token.Status.Conditions, kind).Message
}
