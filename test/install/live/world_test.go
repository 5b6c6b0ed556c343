package live

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientID  = "Iv23liInstall"
	namespace = "team-a"
	// startTimeout is how long the programs may take to be built and to start.
	startTimeout = 10 * time.Minute
	// patience is how long a test waits for what must come.
	patience = time.Minute
)

// root is the folder of the checkout.
var root = filepath.Join("..", "..", "..")

// policies are the resources of each test, by name: one for each deletion policy.
var policies = map[string]v1alpha1.DeletionPolicy{
	"delete": v1alpha1.DeletionPolicyDelete, "retain": v1alpha1.DeletionPolicyRetain, "revoke": v1alpha1.DeletionPolicyRevoke,
}

// world is a control plane without the operator, and a stand-in for GitHub.
type world struct {
	*stage.Stage

	t   *testing.T
	api client.Client
	// program is the pinned helm, once it was built.
	program string
	steps   int
	// using are resources that refer to Apps, beside those of policies.
	using []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	started, err := stage.Start(ctx, stage.Options{Root: root, Log: os.Stderr, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(started.Stop)
	log.SetLogger(logr.Discard()) // What the client has to say is of no use to anybody.
	w := &world{Stage: started, t: t}
	scheme, err := stage.Scheme()
	w.must(err)
	w.api, err = client.New(started.Plane.AdminConfig(), client.Options{Scheme: scheme})
	w.must(err)
	secret := credential.NewClientSecret("an-app-of-the-test")
	var users []string
	for name := range policies {
		users = append(users, name)
	}
	w.must(started.StartGitHub(ctx, stage.GitHubOptions{
		Apps: []stage.App{{ClientID: clientID, Secret: secret}}, Users: users, AccessTokenLifetime: 8 * time.Hour,
	}))
	w.must(w.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	w.must(w.api.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "github-app"}, StringData: map[string]string{"client_secret": secret.Reveal()},
	}))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) kubectl(args ...string) string {
	w.t.Helper()
	out, err := w.Kubectl(w.t.Context(), args...)
	w.must(err)
	return out
}

// start starts the operator, as the next pod, and waits until it is ready.
func (w *world) start() {
	w.t.Helper()
	// A lease is not released at the end; the next leader waits until it has run out.
	w.must(w.StartOperator(w.t.Context(), "--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms"))
}

func (w *world) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	w.must(w.Operator.Stop(ctx))
}

// createResources logs people in, and makes a resource for each.
func (w *world) createResources() {
	w.t.Helper()
	ctx := w.t.Context()
	for name, policy := range policies {
		token, err := w.GitHub.Login(ctx, clientID, name)
		w.must(err)
		w.must(w.api.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-seed"}, StringData: map[string]string{"refresh_token": token.Reveal()},
		}))
		resource := suite.Resource(namespace, name, "", clientID)
		resource.Spec.DeletionPolicy = policy
		w.must(w.api.Create(ctx, resource))
	}
	for name := range policies {
		suite.Eventually(w.t, patience, name+" is ready", func() (bool, string) {
			resource := w.resource(name)
			return meta.IsStatusConditionTrue(resource.Status.Conditions, v1alpha1.ConditionReady), suite.Describe(resource)
		})
	}
}

// loginOnly is a resource for people who log in, by a field that the previous release does not know.
const loginOnly = "login-only"

// createAppsAndUsers makes an App of each kind and a resource that uses it, of the same name, and waits until both are ready. The
// client secret of the one is in the operator's namespace. It also makes loginOnly.
func (w *world) createAppsAndUsers() {
	w.t.Helper()
	ctx := w.t.Context()
	secret := &corev1.Secret{}
	w.must(w.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "github-app"}, secret))
	w.must(w.api.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: stage.Namespace, Name: "github-app"}, Data: secret.Data}))
	spec := v1alpha1.GitHubAppSpec{ClientID: clientID, ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "github-app"}}
	w.must(w.api.Create(ctx, &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "mine"}, Spec: spec}))
	w.must(w.api.Create(ctx, &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "ours"}, Spec: v1alpha1.ClusterGitHubAppSpec{
		GitHubAppSpec: spec, InlineUse: v1alpha1.InlineUnrestricted, AllowedNamespaces: v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll},
	}}))
	for name, kind := range map[string]string{"mine": v1alpha1.KindGitHubApp, "ours": v1alpha1.KindClusterGitHubApp} {
		token, err := w.GitHub.Login(ctx, clientID, "delete")
		w.must(err)
		w.must(w.api.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-seed"}, StringData: map[string]string{"refresh_token": token.Reveal()},
		}))
		resource := suite.Resource(namespace, name, "", "")
		resource.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: name}}
		w.must(w.api.Create(ctx, resource))
	}
	asked := suite.Resource(namespace, loginOnly, "github.com", clientID)
	asked.Spec.RefreshTokenRef, asked.Spec.Login = nil, &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow}}
	w.must(w.api.Create(ctx, asked))
	for _, name := range []string{"mine", "ours"} {
		suite.Eventually(w.t, patience, name+", which refers to an App, is ready", func() (bool, string) {
			resource := w.resource(name)
			return meta.IsStatusConditionTrue(resource.Status.Conditions, v1alpha1.ConditionReady), suite.Describe(resource)
		})
		w.using = append(w.using, name)
	}
}

func (w *world) resource(name string) *v1alpha1.GitHubUserToken {
	w.t.Helper()
	resource := &v1alpha1.GitHubUserToken{}
	w.must(w.api.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, resource))
	return resource
}

func (w *world) pairSecret(name string) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{}
	w.must(w.api.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-token"}, secret))
	return secret
}

// pairs are what is known of all pairs at one moment.
type pairs struct {
	// refresh are the fingerprints of the refresh tokens, by resource.
	refresh       map[string]credential.Fingerprint
	presentations []githubtest.Presentation
}

func (w *world) pairs() pairs {
	w.t.Helper()
	now := pairs{refresh: map[string]credential.Fingerprint{}}
	for _, name := range append(slices.Collect(maps.Keys(policies)), w.using...) {
		secret := w.pairSecret(name)
		refresh := credential.NewRefreshToken(string(secret.Data[v1alpha1.KeyRefreshToken]))
		now.refresh[name] = refresh.Fingerprint()
		for what, token := range map[string]interface{ Reveal() string }{
			"access": credential.NewAccessToken(string(secret.Data[v1alpha1.KeyAccessToken])), "refresh": refresh,
		} {
			state, err := w.GitHub.State(w.t.Context(), token)
			w.must(err)
			if !state.Alive {
				w.t.Errorf("the %s token of %s is dead at GitHub", what, name)
			}
		}
	}
	var err error
	now.presentations, err = w.GitHub.Presentations(w.t.Context())
	w.must(err)
	return now
}

// unchanged demands that nothing was exchanged since, and that every pair is where it was.
func (w *world) unchanged(before pairs, when string) {
	w.t.Helper()
	now := w.pairs()
	if len(now.presentations) != len(before.presentations) {
		w.t.Errorf("%s: %d refresh tokens were presented", when, len(now.presentations)-len(before.presentations))
	}
	for name, fingerprint := range before.refresh {
		if now.refresh[name] != fingerprint {
			w.t.Errorf("%s: %s has another refresh token", when, name)
		}
	}
	ledger, err := w.GitHub.Ledger(w.t.Context())
	w.must(err)
	if len(ledger.DoubleSpends)+len(ledger.Violations) > 0 {
		w.t.Errorf("%s: GitHub holds %+v against the operator", when, ledger)
	}
}

// serves waits until the operator that runs now has done something for every resource: a label that the spec asks for.
func (w *world) serves() {
	w.t.Helper()
	w.steps++
	step := fmt.Sprintf("step-%d", w.steps)
	for name := range policies {
		w.kubectl("-n", namespace, "patch", "ghut", name, "--type=merge", "-p", `{"spec":{"secret":{"labels":{"test":"`+step+`"}}}}`)
	}
	for name := range policies {
		suite.Eventually(w.t, patience, "the operator serves "+name, func() (bool, string) {
			return w.pairSecret(name).Labels["test"] == step && w.resource(name).Status.ObservedGeneration == w.resource(name).Generation,
				suite.Describe(w.resource(name)) + "\n" + w.Operator.LogTail()
		})
		if resource := w.resource(name); !meta.IsStatusConditionTrue(resource.Status.Conditions, v1alpha1.ConditionReady) {
			w.t.Errorf("%s: %s", name, suite.Describe(resource))
		}
	}
}

// gone waits until nothing is left of a resource but what its policy leaves.
func (w *world) gone(name string) {
	w.t.Helper()
	suite.Eventually(w.t, patience, name+" is gone", func() (bool, string) {
		err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &v1alpha1.GitHubUserToken{})
		return apierrors.IsNotFound(err) || meta.IsNoMatchError(err), fmt.Sprint(err)
	})
}

// helm runs the real helm, as the control plane's administrator.
func (w *world) helm(args ...string) string {
	w.t.Helper()
	home := w.Path("helm-home")
	if w.program == "" { // With the flags of make, which may have compiled it already.
		w.program = w.Path("helm")
		goBuild(w.t, filepath.Join(root, "hack", "tools", "helm"), "-trimpath", "-o", w.program, "helm.sh/helm/v4/cmd/helm")
	}
	cmd := exec.CommandContext(w.t.Context(), w.program, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Plane.AdminKubeconfig(), "HOME="+home, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func goBuild(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build in %s: %v\n%s", dir, err, out)
	}
}

// refresh asks for an exchange of every pair of policies, and waits until it is made.
func (w *world) refresh() {
	w.t.Helper()
	w.refreshAll(slices.Collect(maps.Keys(policies)))
}

// refreshAll asks for an exchange of the pair of each resource.
func (w *world) refreshAll(names []string) {
	w.t.Helper()
	w.steps++
	before := w.pairs()
	for _, name := range names {
		w.kubectl("-n", namespace, "annotate", "--overwrite", "ghut", name, fmt.Sprintf("%s=step-%d", v1alpha1.AnnotationRefreshRequestedAt, w.steps))
	}
	for _, name := range names {
		former := before.refresh[name]
		suite.Eventually(w.t, patience, name+" is refreshed", func() (bool, string) {
			now := credential.NewRefreshToken(string(w.pairSecret(name).Data[v1alpha1.KeyRefreshToken])).Fingerprint()
			return now != former, suite.Describe(w.resource(name))
		})
	}
}
