package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

const (
	clientID     = "Iv23liCHAOS"
	clientSecret = "5ca1ab1e0ddba115ca1ab1e0ddba115ca1ab1e0d"
	// patience is how long a test waits for what must come. It is generous: machines are shared.
	patience = 90 * time.Second
	// within is the promise after a kill -9.
	within = time.Minute
)

var (
	scheme *runtime.Scheme
	shared *controlplane.ControlPlane
	// programs are the builds of the operator.
	programs struct{ plain, probed string }
	root     string
)

// breakVariable names one of the breaks, with which this run is to build the operator.
const breakVariable = "CHAOS_BREAK"

func TestMain(m *testing.M) { suite.Main(m, run) }

func run(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	if err := suite.Parallel(16); err != nil {
		return 1, err
	}
	var err error
	if scheme, err = stage.Scheme(); err != nil {
		return 1, err
	}
	ctrllog.SetLogger(logr.Discard())
	goMod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return 1, fmt.Errorf("look for the checkout: %w", err)
	}
	root = filepath.Dir(strings.TrimSpace(string(goMod)))
	dir, err := controlplane.NewTempDir("", "github-user-token-chaos-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = dir.Remove() }()
	built := make(chan error, 1)
	go func() { built <- buildPrograms(ctx, dir.Path()) }()
	if shared, err = startPlane(ctx); err != nil {
		return 1, err
	}
	defer shared.Stop()
	if err := <-built; err != nil {
		return 1, err
	}
	code := m.Run()
	totals.print(os.Stderr)
	return code, nil
}

func buildPrograms(ctx context.Context, dir string) error {
	broken, known := breaks[os.Getenv(breakVariable)]
	if name := os.Getenv(breakVariable); name != "" && !known {
		return fmt.Errorf("there is no break %q", name)
	}
	programs.plain, programs.probed = filepath.Join(dir, "plain", "manager"), filepath.Join(dir, "probed", "manager")
	// With the race detector only in the long form: to build and start it takes several times as long.
	race := raceDetector && long
	for path, patches := range map[string][]patch{programs.plain: broken, programs.probed: append(append([]patch{}, probes...), broken...)} {
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := build(ctx, root, path, race, patches); err != nil {
			return err
		}
	}
	return nil
}

func startPlane(ctx context.Context) (*controlplane.ControlPlane, error) {
	return controlplane.Start(ctx, controlplane.Options{Install: []string{"../../config/default"}})
}

// world is one test's GitHub, namespaces, service account and pods of the operator.
type world struct {
	t     *testing.T
	ctx   context.Context
	plane *controlplane.ControlPlane
	admin client.WithWatch
	// identity is that of the operator's service account. It is bound, by Roles alone, to what config/rbac allows
	// it, in the namespaces that it serves.
	identity *rest.Config
	gh       *githubtest.Server
	site     *githubtest.Site
	// authority is the file with the stand-in's certificate authority.
	authority  string
	namespaces []string
	system     string
	replicas   []*replica
	subjects   []*subject
	secrets    []string // client secrets
	began      time.Time
	// patience is how long to wait for what must come.
	patience time.Duration
	// random says that faults hit at random, so that each exchange may be one of the impossible cases.
	random *history

	mu     sync.Mutex
	stored []string // double spends after the successor was stored
}

// worldOptions differ from one test to another.
type worldOptions struct {
	app githubtest.App
	gh  githubtest.Options
	// ownPlane gives the test a control plane of its own, to be stopped and killed.
	ownPlane bool
	// namespaces is how many; default 1.
	namespaces int
	// clusterWide binds the service account with a ClusterRoleBinding, which outlasts the namespaces.
	clusterWide bool
}

var worlds atomic.Int64

func newWorld(t *testing.T, options worldOptions) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, plane: shared, secrets: []string{clientSecret}, began: time.Now(), patience: patience}
	if options.ownPlane {
		plane, err := startPlane(ctx)
		w.must(err)
		t.Cleanup(plane.Stop)
		w.plane = plane
	}
	config := w.plane.AdminConfig()
	config.QPS = -1
	var err error
	w.admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	w.must(err)

	app := options.app
	app.ClientID, app.Secrets = clientID, []string{clientSecret}
	options.gh.Apps = []githubtest.App{app}
	options.gh.OnPresentation = w.watchForDoubleSpends
	w.gh = githubtest.New(options.gh)
	t.Cleanup(w.gh.Close)
	w.site = w.gh.StartTest(t)
	w.authority = filepath.Join(t.TempDir(), "github-ca.crt")
	w.must(w.site.CA.WriteFile(w.authority))

	w.system = fmt.Sprintf("chaos-%d-system", worlds.Add(1))
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.system}})
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.system, Name: "operator"}})
	w.allow(w.system, "Role", "github-user-token-operator-leader-election")
	for range max(1, options.namespaces) {
		w.namespace(fmt.Sprintf("chaos-%d", worlds.Add(1)))
	}
	if options.clusterWide {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: w.system},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "github-user-token-operator"},
			Subjects:   w.binding("").Subjects,
		}
		w.create(binding)
	}
	w.identity, err = w.plane.ServiceAccountConfig(ctx, w.system, "operator")
	w.must(err)
	return w
}

// namespace makes a namespace that the operator serves.
func (w *world) namespace(name string) {
	w.t.Helper()
	w.namespaces = append(w.namespaces, name)
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	w.secret(name, "github-app", "client_secret", clientSecret)
	w.allow(name, "ClusterRole", "github-user-token-operator")
}

// allow gives the operator's service account, in one namespace, what a role of config/rbac says.
func (w *world) allow(namespace, kind, name string) {
	w.t.Helper()
	var rules []rbacv1.PolicyRule
	if kind == "ClusterRole" {
		var role rbacv1.ClusterRole
		w.must(w.admin.Get(w.ctx, client.ObjectKey{Name: name}, &role))
		rules = role.Rules
	} else {
		var role rbacv1.Role
		w.must(w.admin.Get(w.ctx, client.ObjectKey{Namespace: "github-user-token-system", Name: name}, &role))
		rules = role.Rules
	}
	w.create(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "operator"}, Rules: rules})
	w.create(w.binding(namespace))
}

func (w *world) binding(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "operator"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "operator"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: w.system, Name: "operator"}},
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.must(w.admin.Create(w.ctx, object))
}

// secret creates or overwrites a Secret as a person or GitOps would.
func (w *world) secret(namespace, name, key, value string) {
	w.t.Helper()
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{key: value},
	}
	w.must(w.admin.Patch(w.ctx, secret, client.Apply, client.FieldOwner("person"), client.ForceOwnership)) //nolint:staticcheck // typed apply needs a generated configuration
}

// eventually waits until a condition holds, and says what was there last when it never did.
func (w *world) eventually(what string, holds func() (bool, string)) {
	w.t.Helper()
	suite.Eventually(w.t, w.patience, what, holds)
}

// arrived waits for a channel, such as that of a fault which a request has met.
func (w *world) arrived(what string, c <-chan struct{}) {
	w.t.Helper()
	select {
	case <-c:
	case <-time.After(w.patience):
		w.t.Fatalf("%s: not within %s", what, w.patience)
	}
}

// each does something to several subjects at once.
func (w *world) each(subjects []*subject, do func(*subject) error) {
	w.t.Helper()
	work, failed := make(chan *subject), make(chan error, len(subjects))
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for s := range work {
				if err := do(s); err != nil {
					failed <- fmt.Errorf("%s: %w", s.name, err)
				}
			}
		})
	}
	for _, s := range subjects {
		work <- s
	}
	close(work)
	workers.Wait()
	select {
	case err := <-failed:
		w.t.Fatal(err)
	default:
	}
}

// subject is a GitHubUserToken with a user of its own at GitHub.
type subject struct {
	w               *world
	namespace, name string
	app, login      string
	// logins are the refresh tokens of the user's logins, oldest first.
	logins []string
	// due is how many times the user's tokens must have been presented at the end; negative when only most is known.
	due int
	// most bounds it when due is negative.
	most int
	// lost says that at the end GitHub's last reply to it is lost, in one of the two ways that cannot be survived.
	lost bool
	// gone says that at the end there is no such resource.
	gone bool
	// reason is that of Reconciling at the end, empty for none.
	reason string
}

// anyReason of Reconciling, or none.
const anyReason = "*"

// subject makes a resource whose seed is a fresh login. One exchange is due for it.
func (w *world) subject(name string) *subject {
	w.t.Helper()
	s := w.prepare(name, w.namespaces[0], clientID)
	w.must(s.apply())
	return s
}

// running starts an operator, and a resource that is then ready.
func (w *world) running(name string) (*replica, *subject) {
	w.t.Helper()
	r := w.replica()
	r.start()
	s := w.subject(name)
	s.awaitReady()
	return r, s
}

// prepare is subject without writing anything to the API server yet.
func (w *world) prepare(name, namespace, app string) *subject {
	s := &subject{w: w, namespace: namespace, name: name, app: app, login: namespace + "-" + name, due: 1}
	s.logins = []string{w.gh.Mint(app, s.login).RefreshToken}
	w.subjects = append(w.subjects, s)
	return s
}

func (s *subject) apply() error {
	if err := s.w.admin.Create(s.w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name + "-seed"},
		StringData: map[string]string{"refresh_token": s.logins[0]},
	}); err != nil {
		return err
	}
	return s.w.admin.Create(s.w.ctx, s.resource())
}

func (s *subject) resource() *v1alpha1.GitHubUserToken {
	return suite.Resource(s.namespace, s.name, s.w.site.Host, s.app)
}

func (s *subject) pairName() string { return s.name + "-token" }

// request asks for an exchange now. Another one is due for it.
func (s *subject) request() {
	s.w.t.Helper()
	s.due++
	s.w.must(s.annotate())
}

// rotate asks for an exchange and waits until it is made and its pair stored.
func (s *subject) rotate() {
	s.w.t.Helper()
	token := s.holds()
	s.request()
	s.awaitExchanged(token)
	s.awaitReady()
}

func (s *subject) annotate() error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRefreshRequestedAt, time.Now().Format(time.RFC3339Nano))
	return s.w.admin.Patch(s.w.ctx, s.object(), client.RawPatch(types.MergePatchType, patch))
}

func (s *subject) object() *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name}}
}

func (s *subject) get() (*v1alpha1.GitHubUserToken, error) {
	token := s.object()
	return token, s.w.admin.Get(s.w.ctx, client.ObjectKeyFromObject(token), token)
}

func (s *subject) pair() (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, s.w.admin.Get(s.w.ctx, client.ObjectKey{Namespace: s.namespace, Name: s.pairName()}, &secret)
}

// holds is the refresh token in the pair Secret.
func (s *subject) holds() string {
	s.w.t.Helper()
	secret, err := s.pair()
	s.w.must(err)
	return string(secret.Data[v1alpha1.KeyRefreshToken])
}

// awaitReady waits until the newest pair is stored and reported.
func (s *subject) awaitReady() {
	s.w.t.Helper()
	s.w.eventually(s.name+" to be ready with the newest pair", func() (bool, string) {
		problem := s.problem()
		return problem == "", problem
	})
}

// awaitReason waits for a condition with a reason.
func (s *subject) awaitReason(kind, reason string) {
	s.w.t.Helper()
	s.w.eventually(s.name+": "+kind+" to be "+reason, func() (bool, string) {
		token, err := s.get()
		if err != nil {
			return false, err.Error()
		}
		c := meta.FindStatusCondition(token.Status.Conditions, kind)
		return c != nil && c.Reason == reason, suite.Describe(token)
	})
}

// awaitExchanged waits until GitHub has exchanged a token.
func (s *subject) awaitExchanged(token string) {
	s.w.t.Helper()
	s.w.eventually(s.name+": GitHub to exchange its token", func() (bool, string) {
		return s.w.gh.ExchangesOf(token) == 1, fmt.Sprintf("presented %d times", len(s.w.gh.PresentationsOf(token)))
	})
}

// relogin puts a fresh login into the seed. One exchange is due for it.
func (s *subject) relogin() {
	s.w.t.Helper()
	s.due++
	s.logins = append(s.logins, s.w.gh.Mint(s.app, s.login).RefreshToken)
	s.w.secret(s.namespace, s.name+"-seed", "refresh_token", s.logins[len(s.logins)-1])
}

// The requests of the protocol, as the proxy sees them.

func (s *subject) fence() func(*apiCall) bool {
	return func(c *apiCall) bool {
		return c.method == "PATCH" && s.isPair(c) && strings.Contains(string(c.body), `"`+v1alpha1.AnnotationIntent+`":"{`)
	}
}

// firstFence is the creation of the pair Secret.
func (s *subject) firstFence() func(*apiCall) bool {
	return func(c *apiCall) bool {
		return c.method == "POST" && strings.HasSuffix(c.path, "/namespaces/"+s.namespace+"/secrets") &&
			strings.Contains(string(c.body), s.pairName())
	}
}

func (s *subject) commit() func(*apiCall) bool {
	return func(c *apiCall) bool {
		return c.method == "PATCH" && s.isPair(c) && strings.Contains(string(c.body), `"`+v1alpha1.KeyAccessToken+`":"`)
	}
}

func (s *subject) status() func(*apiCall) bool {
	return func(c *apiCall) bool {
		return c.method == "PATCH" && strings.HasSuffix(c.path, "/githubusertokens/"+s.name+"/status") && strings.Contains(c.path, "/"+s.namespace+"/")
	}
}

func (s *subject) isPair(c *apiCall) bool {
	return strings.HasSuffix(c.path, "/namespaces/"+s.namespace+"/secrets/"+s.pairName())
}

// event hits the events of this subject in a watch.
func (s *subject) event(frame []byte) bool { return strings.Contains(string(frame), s.name) }
