package appsource

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
)

// watched says why something is not in the cache.
type watched map[string]error

func (w watched) Err(namespace string) error { return w[namespace] }

// notStarted is a cache before it has started.
type notStarted struct{ client.Reader }

func (notStarted) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return &cache.ErrCacheNotStarted{}
}

func (notStarted) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return &cache.ErrCacheNotStarted{}
}

func newCluster(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	build := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithIndex(&v1alpha1.GitHubUserToken{}, indexApp, appOf)
	for _, kind := range []client.Object{&v1alpha1.GitHubApp{}, &v1alpha1.ClusterGitHubApp{}} {
		build = build.WithIndex(kind, indexKey, keysOf).WithIndex(kind, indexSecret, secretsOf)
	}
	return build.Build()
}

func app(namespace, name, clientID string) *v1alpha1.GitHubApp {
	return &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.GitHubAppSpec{Host: "github.com", ClientID: clientID}}
}

func clusterApp(name, clientID string) *v1alpha1.ClusterGitHubApp {
	return &v1alpha1.ClusterGitHubApp{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ClusterGitHubAppSpec{GitHubAppSpec: v1alpha1.GitHubAppSpec{Host: "github.com", ClientID: clientID}},
	}
}

var (
	errForbidden = apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("clustergithubapps").GroupResource(), "", errors.New("there is no ClusterRoleBinding"))
	errPending   = errors.New("the API server has not listed its objects yet")
)

func TestAppSourceFindsWhatThereIsBeforeAndAfterTheCacheHasStarted(t *testing.T) {
	cluster := newCluster(t, app("team-a", "own", "Iv23liOWN"), clusterApp("shared", "Iv23liSHARED"), clusterApp("other", "Iv23liOTHER"),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a", Labels: map[string]string{"team": "a"}}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bare"}})
	for name, s := range map[string]Source{
		"after":  {Cache: cluster, Live: notStarted{}, Watched: watched{}, Cluster: true},
		"before": {Cache: notStarted{}, Live: cluster, Watched: watched{"": errPending}, Cluster: true},
	} {
		t.Run(name, func(t *testing.T) {
			own, err := s.GitHubApp(t.Context(), types.NamespacedName{Namespace: "team-a", Name: "own"})
			if err != nil || own == nil || own.Spec.ClientID != "Iv23liOWN" {
				t.Errorf("the GitHubApp is %v, %v", own, err)
			}
			shared, err := s.ClusterGitHubApp(t.Context(), "shared")
			if err != nil || shared == nil || shared.Spec.ClientID != "Iv23liSHARED" {
				t.Errorf("the ClusterGitHubApp is %v, %v", shared, err)
			}
			of, err := s.ClusterGitHubAppsOf(t.Context(), scope.AppKey("github.com", "IV23lishared"))
			if err != nil || len(of) != 1 || of[0].Name != "shared" {
				t.Errorf("of the client ID are %v, %v", of, err)
			}
			labels, err := s.NamespaceLabels(t.Context(), "team-a")
			if err != nil || labels["team"] != "a" {
				t.Errorf("the labels are %v, %v", labels, err)
			}
			if labels, err := s.NamespaceLabels(t.Context(), "bare"); err != nil || labels != nil {
				t.Errorf("the labels of a namespace without, as of one with too many, are %v, %v", labels, err)
			}
			absent, err := s.GitHubApp(t.Context(), types.NamespacedName{Namespace: "team-b", Name: "own"})
			if err != nil || absent != nil {
				t.Errorf("that of another namespace is %v, %v", absent, err)
			}
			if !s.HasClusterGitHubApps() {
				t.Error("there are no ClusterGitHubApps")
			}
		})
	}
}

// That the cache does not show an App says nothing while it does not hold all of them.
func TestAppSourceThatDoesNotKnowSaysSo(t *testing.T) {
	s := Source{Cache: newCluster(t), Live: notStarted{}, Watched: watched{"": errPending, "team-a": errForbidden}, Cluster: true}
	if _, err := s.GitHubApp(t.Context(), types.NamespacedName{Namespace: "team-a", Name: "own"}); !apierrors.IsForbidden(err) {
		t.Errorf("the GitHubApp: %v", err)
	}
	if _, err := s.ClusterGitHubApp(t.Context(), "shared"); !errors.Is(err, errPending) {
		t.Errorf("the ClusterGitHubApp: %v", err)
	}
	if _, err := s.ClusterGitHubAppsOf(t.Context(), "key"); !errors.Is(err, errPending) {
		t.Errorf("those of a client ID: %v", err)
	}
	if _, err := s.NamespaceLabels(t.Context(), "team-a"); !errors.Is(err, errPending) {
		t.Errorf("the labels: %v", err)
	}
}

func TestAppSourceHasNothingOfTheClusterWithoutThePermission(t *testing.T) {
	for name, c := range map[string]struct {
		source Source
		want   bool
	}{
		"it is on":          {Source{Watched: watched{}, Cluster: true}, true},
		"it is off":         {Source{Watched: watched{}}, false},
		"it is not allowed": {Source{Watched: watched{"": errForbidden}, Cluster: true}, false},
		"it has not come":   {Source{Watched: watched{"": errPending}, Cluster: true}, true},
	} {
		if got := c.source.HasClusterGitHubApps(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// secrets are the Secrets of a test.
type secrets map[types.NamespacedName]*seeds.Secret

func (s secrets) ReadSecret(_ context.Context, name types.NamespacedName) (*seeds.Secret, error) {
	return s[name], nil
}

// untold is a watch that tells nothing of Secrets.
type untold struct{}

func (untold) Version(types.NamespacedName) (string, bool) { return "", false }
func (untold) Learn(types.NamespacedName, string)          {}
func (untold) Forget(types.NamespacedName)                 {}

func TestAppSecretsAreNeverThoseOfTheOperators(t *testing.T) {
	name := types.NamespacedName{Namespace: "a", Name: "pair"}
	own := app("a", "one", "Iv23liX")
	own.Spec.WebhookSecretRef = &v1alpha1.WebhookSecretReference{Name: "pair", Key: "refresh_token"}
	for _, ours := range []bool{true, false} {
		s := newScene(t, own)
		s.options.Secrets = secrets{name: {Version: "1", Ours: ours, Data: map[string][]byte{"refresh_token": []byte("ghr_another")}}}
		s.options.Versions = untold{}
		value, _, p, err := s.clientSecret(t.Context(), name, "refresh_token")
		if err != nil || value.IsZero() != ours || (p != nil) != ours || ours && (p.Reason != v1alpha1.ReasonClientSecretMissing || !strings.Contains(p.Message, "operator's own")) {
			t.Errorf("ours: %v, and there is a client secret: %v, %+v, %v", ours, !value.IsZero(), p, err)
		}
		hook, err := s.Webhook(t.Context(), "/apps/a/one")
		if err != nil || (hook == nil) != ours {
			t.Errorf("ours: %v, and there is a webhook secret: %v, %v", ours, hook != nil, err)
		}
	}
}
