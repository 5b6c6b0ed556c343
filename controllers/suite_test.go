package controllers

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/shard"
	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
	"github.com/githubusertoken/github-user-token-operator/internal/namespaces"
	"github.com/githubusertoken/github-user-token-operator/internal/outbox"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// The tests of this package run against a real control plane, with the operator under its own service
// account and the RBAC of config/, and against the stand-in for GitHub.
var (
	plane    *controlplane.ControlPlane
	operator *rest.Config  // what the operator may do
	admin    client.Client // what a cluster's administrator may do
	scheme   *runtime.Scheme
)

func TestMain(m *testing.M) { suite.Main(m, runSuite) }

func runSuite(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if err := suite.Parallel(24); err != nil {
		return 1, err
	}
	var err error
	if scheme, err = stage.Scheme(); err != nil {
		return 1, err
	}
	ctrl.SetLogger(zap.New(zap.WriteTo(&logs)))
	plane, err = controlplane.Start(ctx, controlplane.Options{Install: []string{"../config/default"}})
	if err != nil {
		return 1, err
	}
	defer plane.Stop()
	operator, err = plane.ServiceAccountConfig(ctx, "github-user-token-system", "github-user-token-operator")
	if err != nil {
		return 1, err
	}
	config := plane.AdminConfig()
	config.QPS = -1
	admin, err = client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return 1, err
	}
	return m.Run(), leaked()
}

const (
	clientID     = "Iv23liEXAMPLE"
	clientSecret = "0123456789abcdef0123456789abcdef01234567"
	// deadline is how long a test waits for what must come. It is generous: machines are shared.
	deadline = 30 * time.Second
)

// Times of the operator that tests let pass.
const (
	// comeBackTime is for how long a Secret that may come from a backup is kept for its resource.
	comeBackTime = time.Minute
	// youngToken is for how long after its issue a token that GitHub refuses may still be good, and noticeYoung the
	// same after a notice.
	youngToken, noticeYoung = time.Minute, 5 * time.Second
	// confirmAfter is the longest time between the two answers that a token is dead.
	confirmAfter = 5 * time.Second
	// deadCheck is the shortest time between two checks of a token that is known to be dead.
	deadCheck = 15 * time.Minute
	// deadAfter is for how long GitHub must refuse the token of a new login, and verifyTime for how long it is asked
	// at most whose it is.
	deadAfter, verifyTime = 2 * time.Minute, 8 * time.Hour
	// revokeTime is for how long GitHub is asked to revoke a pair.
	revokeTime = 2 * time.Minute
	// seriesTime is for how long one series of device codes is offered.
	seriesTime = time.Hour
)

// world is one operator, one GitHub and one namespace of its own for a test.
type world struct {
	t          *testing.T
	ctx        context.Context
	gh         *githubtest.Server
	site       *githubtest.Site
	namespace  string
	reconciler *Reconciler
	outboxDir  string
	stop       func()
	options    worldOptions
	// running reports whether the operator runs.
	running bool
	// lags reports that the operator's caches are kept from showing what there is.
	lags bool
	// watched tells of the namespaces as the operator knows it.
	watched *namespaces.Watched
	// namespaces are those that the operator watches; namespace is the first.
	namespaces []string
	// meter counts what the operator does.
	meter *meter
	// minted are the refresh tokens of all logins.
	minted []string
}

// worldOptions differ from one test to another.
type worldOptions struct {
	app        githubtest.App
	gh         githubtest.Options
	listen     []githubtest.Listen
	client     func(*github.Options)
	controller func(*Options)
	config     func(*rest.Config)
	// beforeStart is called with the operator when it is set up and has not started.
	beforeStart func(ctrl.Manager, *Reconciler)
	noOperator  bool
	// namespaces is how many namespaces the operator watches; default one.
	namespaces int
	// clusterApps has the operator know the ClusterGitHubApps of the world, whose client secrets are in the last namespace. They
	// are cluster-wide, so that each world sees its own only.
	clusterApps bool
	// selector is which resources the operator serves; by default all.
	selector shard.Selector
	// spendsTwice says that the test makes the operator present a token that is spent already.
	spendsTwice bool
}

var worlds atomic.Int64

// newWorld starts a stand-in with one App, a namespace with the App's client secret, and an operator that
// watches this namespace alone.
func newWorld(t *testing.T, options worldOptions) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	app := options.app
	app.ClientID, app.Secrets = clientID, []string{clientSecret}
	options.gh.Apps = []githubtest.App{app}
	w := &world{t: t, ctx: ctx, gh: githubtest.New(options.gh), options: options, meter: &meter{}}
	t.Cleanup(w.gh.Close)
	w.site = w.gh.StartTest(t, options.listen...)
	for range max(1, options.namespaces) {
		w.namespace = fmt.Sprintf("test-%d", worlds.Add(1))
		w.namespaces = append(w.namespaces, w.namespace)
		w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
		w.secret("github-app", map[string]string{"client_secret": clientSecret})
	}
	w.namespace = w.namespaces[0]
	w.outboxDir = t.TempDir()
	if !options.noOperator {
		w.startOperator(options)
	}
	t.Cleanup(w.searchForTokens)
	return w
}

// startOperator runs an operator as main does, in this process, under the service account's identity.
func (w *world) startOperator(options worldOptions) {
	w.t.Helper()
	var kept *outbox.Outbox
	w.eventually("the outbox to be free", func() (bool, string) {
		// A process that another test starts holds a copy of the former operator's lock for a moment.
		var err error
		kept, err = outbox.Open(w.outboxDir, outbox.Options{AllowDisk: true})
		return err == nil, fmt.Sprint(err)
	})
	config := rest.CopyConfig(operator)
	config.QPS = -1
	config.Wrap(w.meter.wrap)
	w.watched = namespaces.New(w.namespaces, logr.Discard())
	config.Wrap(w.watched.Transport)
	if options.config != nil {
		options.config(config)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, NewCache: NewCache, Cache: w.cacheOptions(options.selector),
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		GracefulShutdownTimeout: new(time.Duration),
	})
	w.must(err)
	clientOptions := github.Options{
		AllowedHosts: []string{w.site.Host}, RootCAs: w.site.CA.PEM,
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	if options.client != nil {
		options.client(&clientOptions)
	}
	gitHub, err := github.New(clientOptions)
	w.must(err)
	controllerOptions := Options{
		EnableScopedOutputs: true,
		GitHub:              gitHub, Outbox: kept, Holder: kept.Holder(), NewID: uuid.NewString,
		Watched: w.watched, SkipNameValidation: true, Clock: w.meter, Shard: Shard{Selector: options.selector},
	}
	if options.clusterApps {
		controllerOptions.ClusterApps, controllerOptions.ClusterResourceNamespace = true, w.home()
	}
	if options.controller != nil {
		options.controller(&controllerOptions)
	}
	w.reconciler, err = New(mgr, controllerOptions)
	w.must(err)
	if options.beforeStart != nil {
		options.beforeStart(mgr, w.reconciler)
	}
	records, err := kept.List()
	w.must(err)
	w.reconciler.Replay(mgr.GetLogger(), records)
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stopped := false
	w.running = true
	w.stop = func() {
		if stopped {
			return
		}
		stopped, w.running = true, false
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the manager ended: %v", err)
		}
		drain, done := context.WithTimeout(context.Background(), deadline)
		defer done()
		if err := w.reconciler.Runner.Drain(drain); err != nil {
			w.t.Errorf("exchanges are still under way: %v", err)
		}
		_ = kept.Close()
	}
	w.t.Cleanup(w.stop)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.must(admin.Create(w.ctx, object))
}

// secret creates or overwrites a Secret as a person or GitOps would.
func (w *world) secret(name string, data map[string]string) {
	w.t.Helper()
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, StringData: data,
	}
	w.must(admin.Patch(w.ctx, secret, client.Apply, client.FieldOwner("person"), client.ForceOwnership)) //nolint:staticcheck // typed apply needs a generated configuration
}

// seed puts the refresh token of a fresh login into the seed of a resource, and returns the token.
func (w *world) seed(name, login string) string {
	w.t.Helper()
	token := w.login(login)
	w.secret(name+"-seed", map[string]string{"refresh_token": token})
	return token
}

// resource is a GitHubUserToken as in the samples.
func (w *world) resource(name string) *v1alpha1.GitHubUserToken {
	return suite.Resource(w.namespace, name, w.site.Host, clientID)
}

// eventually waits until a condition holds, and says what was there last when it never did.
func (w *world) eventually(what string, holds func() (bool, string)) {
	w.t.Helper()
	suite.Eventually(w.t, deadline, what, holds)
}

// condition waits for a condition of a resource with the given status and reason, and returns it.
func (w *world) condition(name, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	w.t.Helper()
	var found metav1.Condition
	w.eventually(fmt.Sprintf("%s of %s to be %s, %s", kind, name, status, reason), func() (bool, string) {
		token := w.get(name)
		condition := meta.FindStatusCondition(token.Status.Conditions, kind)
		if condition == nil {
			return false, suite.Describe(token)
		}
		found = *condition
		return condition.Status == status && (reason == "" || condition.Reason == reason), suite.Describe(token)
	})
	return found
}

func (w *world) get(name string) *v1alpha1.GitHubUserToken {
	w.t.Helper()
	var token v1alpha1.GitHubUserToken
	w.must(admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &token))
	return &token
}

func (w *world) pair(name string) *corev1.Secret {
	w.t.Helper()
	var secret corev1.Secret
	w.must(admin.Get(w.ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, &secret))
	return &secret
}
