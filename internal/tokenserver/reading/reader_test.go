package reading

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/boundedreply"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/tokenserver/release"
)

const (
	uid      = "8b1c7f2e-0000-4000-8000-000000000001"
	clientID = "Iv23liEXAMPLE"
)

// cluster is what the API server has, with what was read of it.
type cluster struct {
	client.Client

	reads []string
	err   func(client.Object) error
}

func token(change func(*v1alpha1.GitHubUserToken)) *v1alpha1.GitHubUserToken {
	resource := &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: uid},
		Spec:       v1alpha1.GitHubUserTokenSpec{App: v1alpha1.App{ClientID: clientID}, Secret: v1alpha1.SecretTemplate{Name: "octocat-token"}},
		Status:     v1alpha1.GitHubUserTokenStatus{SecretName: "octocat-token"},
	}
	if change != nil {
		change(resource)
	}
	return resource
}

func secret(name string, change func(*corev1.Secret)) *corev1.Secret {
	access := credential.NewAccessToken("ghu_access")
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: name, Labels: map[string]string{v1alpha1.LabelRole: v1alpha1.RolePair}, Finalizers: []string{v1alpha1.Finalizer},
			Annotations:     map[string]string{v1alpha1.AnnotationState: `{"format":1,"owner":"` + uid + `","ownerName":"octocat","app":"github.com/` + clientID + `","accessToken":"` + string(access.Fingerprint()) + `"}`},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "GitHubUserToken", Name: "octocat", UID: uid, Controller: new(true)}},
		},
		Data: map[string][]byte{v1alpha1.KeyAccessToken: []byte(access.Reveal()), v1alpha1.KeyRefreshToken: []byte("ghr_refresh")},
	}
	if change != nil {
		change(s)
	}
	return s
}

func namespace(labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a", Labels: labels}}
}

func newCluster(t *testing.T, objects ...client.Object) *cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c := &cluster{}
	c.Client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(ctx context.Context, under client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			kind := strings.TrimPrefix(strings.ToLower(strings.TrimPrefix(typeOf(object), "*")), "v1alpha1.")
			c.reads = append(c.reads, kind+" "+key.Name)
			if c.err != nil {
				if err := c.err(object); err != nil {
					return err
				}
			}
			return under.Get(ctx, key, object, options...)
		},
	}).Build()
	return c
}

func typeOf(object client.Object) string {
	switch object.(type) {
	case *corev1.Secret:
		return "secret"
	case *v1alpha1.GitHubUserToken:
		return "resource"
	case *v1alpha1.GitHubApp:
		return "app"
	default:
		return "namespace"
	}
}

func TestTokenServerReadsTheResourceAndThenItsSecret(t *testing.T) {
	c := newCluster(t, token(nil), secret("octocat-token", nil), namespace(nil))
	read, err := NewReader(c).Read(t.Context(), release.Of{NamespacedName: octocat})
	if err != nil || read.Resource == nil || len(read.Pairs) != 1 || read.Withheld != "" || read.Pairs[0].AccessToken.Reveal() != "ghu_access" {
		t.Fatalf("got %+v, %v", read, err)
	}
	if want := []string{"resource octocat", "namespace team-a", "secret octocat-token"}; !slices.Equal(c.reads, want) {
		t.Errorf("it has read %v, want %v", c.reads, want)
	}
}

func TestTokenServerReadsNoSecretButThePairOfTheResource(t *testing.T) {
	for name, c := range map[string]struct {
		resource *v1alpha1.GitHubUserToken
		secrets  []client.Object
		pairs    int
	}{
		"nothing is there":                       {secrets: nil},
		"another resource's":                     {secrets: []client.Object{secret("octocat-token", func(s *corev1.Secret) { s.OwnerReferences[0].UID = "other" })}},
		"nobody's":                               {secrets: []client.Object{secret("octocat-token", func(s *corev1.Secret) { s.OwnerReferences = nil })}},
		"that of another kind":                   {secrets: []client.Object{secret("octocat-token", func(s *corev1.Secret) { s.OwnerReferences[0].Kind = "ConfigMap" })}},
		"one that the spec names and is no pair": {secrets: []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat-token"}, Data: map[string][]byte{v1alpha1.KeyAccessToken: []byte("x")}}}},
		"one that the status names and is no pair": {
			resource: token(func(r *v1alpha1.GitHubUserToken) { r.Status.SecretName = "mine" }),
			secrets:  []client.Object{secret("octocat-token", nil), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "mine"}}}, pairs: 1,
		},
		"one that has not moved yet": {
			resource: token(func(r *v1alpha1.GitHubUserToken) { r.Spec.Secret.Name = "next" }), secrets: []client.Object{secret("octocat-token", nil)}, pairs: 1,
		},
		"two, while it moves": {
			resource: token(func(r *v1alpha1.GitHubUserToken) { r.Spec.Secret.Name = "next" }), secrets: []client.Object{secret("octocat-token", nil), secret("next", nil)}, pairs: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			resource := c.resource
			if resource == nil {
				resource = token(nil)
			}
			read, err := NewReader(newCluster(t, append(c.secrets, resource, namespace(nil))...)).Read(t.Context(), release.Of{NamespacedName: octocat})
			if err != nil || len(read.Pairs) != c.pairs {
				t.Errorf("got %d pairs, %v", len(read.Pairs), err)
			}
		})
	}
}

func TestTokenServerReadsNothingThatIsWithheld(t *testing.T) {
	offered := func(policy v1alpha1.Permission, from v1alpha1.NamespacesFrom, id string) *v1alpha1.ClusterGitHubApp {
		app := &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "shared"}}
		app.Spec.ClientID, app.Spec.Policy.TokenServer, app.Spec.AllowedNamespaces.From = id, policy, from
		return app
	}
	own := func(policy v1alpha1.Permission) *v1alpha1.GitHubApp {
		app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "own"}}
		app.Spec.ClientID, app.Spec.Policy.TokenServer = clientID, policy
		return app
	}
	to := func(kind, name string) func(*v1alpha1.GitHubUserToken) {
		return func(r *v1alpha1.GitHubUserToken) {
			r.Spec.App = v1alpha1.App{Ref: &v1alpha1.AppReference{Kind: kind, Name: name}}
		}
	}
	for name, c := range map[string]struct {
		change  func(*v1alpha1.GitHubUserToken)
		labels  map[string]string
		objects []client.Object
		want    string
		// looked says that the Secret had to be read to find out.
		looked bool
	}{
		"nothing forbids it":                      {looked: true},
		"the label allows it":                     {labels: map[string]string{v1alpha1.LabelTokenServer: "Allowed"}, looked: true},
		"the label forbids it":                    {labels: map[string]string{v1alpha1.LabelTokenServer: "Forbidden"}, want: withheldByNamespace},
		"the label says something":                {labels: map[string]string{v1alpha1.LabelTokenServer: ""}, want: withheldByNamespace},
		"its own App allows it":                   {change: to(v1alpha1.KindGitHubApp, "own"), objects: []client.Object{own(v1alpha1.PermissionAllowed)}, looked: true},
		"its own App forbids it":                  {change: to(v1alpha1.KindGitHubApp, "own"), objects: []client.Object{own(v1alpha1.PermissionForbidden)}, want: withheldByApp},
		"an App that is lent allows it":           {change: to(v1alpha1.KindClusterGitHubApp, "shared"), objects: []client.Object{offered("", v1alpha1.NamespacesAll, clientID)}, looked: true},
		"an App that is lent forbids it":          {change: to(v1alpha1.KindClusterGitHubApp, "shared"), objects: []client.Object{offered(v1alpha1.PermissionForbidden, v1alpha1.NamespacesAll, clientID)}, want: withheldByApp},
		"an App that is lent to others":           {change: to(v1alpha1.KindClusterGitHubApp, "shared"), objects: []client.Object{offered("", v1alpha1.NamespacesNone, clientID)}, want: withheldByApp},
		"an App that is not there":                {change: to(v1alpha1.KindClusterGitHubApp, "shared"), want: withheldByApp},
		"the client ID of an App that forbids it": {objects: []client.Object{offered(v1alpha1.PermissionForbidden, v1alpha1.NamespacesAll, strings.ToUpper(clientID))}, want: withheldByApp},
		"the pair is of an App that forbids it": {
			change:  func(r *v1alpha1.GitHubUserToken) { r.Spec.App.ClientID = "Iv23liOTHER" },
			objects: []client.Object{offered(v1alpha1.PermissionForbidden, v1alpha1.NamespacesAll, clientID)}, want: withheldByApp, looked: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newCluster(t, append(c.objects, token(c.change), secret("octocat-token", nil), namespace(c.labels))...)
			read, err := NewReader(cluster).Read(t.Context(), release.Of{NamespacedName: octocat})
			if err != nil || read.Withheld != c.want {
				t.Errorf("it is withheld because %q, %v", read.Withheld, err)
			}
			if looked := slices.Contains(cluster.reads, "secret octocat-token"); looked != c.looked {
				t.Errorf("it has read %v", cluster.reads)
			}
		})
	}
}

// What administrators have set is believed for a few seconds; of the resource and its pair nothing is.
func TestTokenServerKeepsNothingOfAPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, token(nil), secret("octocat-token", nil), namespace(nil))
		reader := NewReader(c)
		for range 3 {
			c.reads = nil
			if _, err := reader.Read(t.Context(), release.Of{NamespacedName: octocat}); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"resource octocat", "secret octocat-token"}; !slices.Equal(c.reads, want) {
			t.Errorf("it has read %v, want %v", c.reads, want)
		}
		labelled := namespace(map[string]string{v1alpha1.LabelTokenServer: "Forbidden"})
		if err := c.Update(t.Context(), labelled); err != nil {
			t.Fatal(err)
		}
		time.Sleep(keptFor)
		if read, err := reader.Read(t.Context(), release.Of{NamespacedName: octocat}); err != nil || read.Withheld == "" {
			t.Errorf("after %s it is not withheld: %v", keptFor, err)
		}
	})
}

// Of what tenants write nothing is kept but what says whether a token may be given.
func TestTokenServerKeepsLittleOfAnApp(t *testing.T) {
	large := map[string]string{"large": strings.Repeat("x", 1000)}
	app := &v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "own", Labels: large, Annotations: large}}
	app.Spec.ClientID, app.Spec.Host, app.Spec.Policy.TokenServer = clientID, "octocorp.ghe.com", v1alpha1.PermissionForbidden
	app.Status.Conditions = []metav1.Condition{{Type: "x", Message: large["large"]}}
	offered := &v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "shared", Labels: large, Annotations: large}}
	offered.Spec.ClientID, offered.Spec.AllowedNamespaces.From, offered.Spec.InlineUse = clientID, v1alpha1.NamespacesAll, v1alpha1.InlineUnrestricted
	source := newSource(newCluster(t, app, offered))
	got, err := source.GitHubApp(t.Context(), client.ObjectKeyFromObject(app))
	want := v1alpha1.GitHubApp{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "own"}, Spec: v1alpha1.GitHubAppSpec{Host: app.Spec.Host, ClientID: clientID, Policy: app.Spec.Policy}}
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	all, err := source.all(t.Context())
	wantOffered := v1alpha1.ClusterGitHubApp{ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Spec: offered.Spec}
	if err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], wantOffered) {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestTokenServerSaysInAWordWhyItCannotRead(t *testing.T) {
	quoting := errors.New("webhook quotes ghu_access")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"forbidden":   {apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", quoting), "Forbidden"},
		"away":        {quoting, "NotReached"},
		"out of time": {context.DeadlineExceeded, "Timeout"},
		"called off":  {context.Canceled, "Canceled"},
		"too large":   {fmt.Errorf("read the body: %w", boundedreply.ErrTooLarge), "TooLarge"},
	} {
		for _, kind := range []string{"resource", "secret", "namespace"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				cluster := newCluster(t, token(nil), secret("octocat-token", nil), namespace(nil))
				cluster.err = func(object client.Object) error {
					if typeOf(object) != kind {
						return nil
					}
					return c.err
				}
				read, err := NewReader(cluster).Read(t.Context(), release.Of{NamespacedName: octocat})
				if err == nil || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), "ghu_") {
					t.Errorf("got %v", err)
				}
				if reason := ReasonOf(fmt.Errorf("again: %w", err)); string(reason) != c.want {
					t.Errorf("the reason is %s", reason)
				}
				if len(read.Pairs) > 0 {
					t.Error("there is a pair beside the error")
				}
			})
		}
	}
}

func TestTokenServerIsReadyWhenItMayRead(t *testing.T) {
	c := newCluster(t)
	if err := NewReader(c).Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	for _, kind := range []string{"resource", "secret", "app", "namespace"} {
		c.err = func(object client.Object) error {
			if typeOf(object) != kind {
				return nil
			}
			return apierrors.NewForbidden(schema.GroupResource{}, "x", nil)
		}
		if NewReader(c).Ready(t.Context()) == nil {
			t.Errorf("it is ready though no %s can be read", kind)
		}
	}
}

func TestTokenServerGivesNothingOfWhatIsNotThereOrGoes(t *testing.T) {
	read, err := NewReader(newCluster(t)).Read(t.Context(), release.Of{NamespacedName: octocat})
	if err != nil || read.Resource != nil {
		t.Errorf("got %+v, %v", read, err)
	}
	goes := token(func(r *v1alpha1.GitHubUserToken) {
		r.Finalizers, r.DeletionTimestamp = []string{"x"}, &metav1.Time{Time: time.Now()}
	})
	read, err = NewReader(newCluster(t, goes, secret("octocat-token", nil), namespace(nil))).Read(t.Context(), release.Of{NamespacedName: octocat})
	if err != nil || read.Resource == nil || len(read.Pairs) > 0 {
		t.Errorf("got %+v, %v", read, err)
	}
}

// The Secret of an output is read where the spec has it with a scope, after whatever may forbid it, and nothing is taken of one that is none of the
// resource's.
func TestTokenServerReadsTheOutputThatIsAskedFor(t *testing.T) {
	with := func(r *v1alpha1.GitHubUserToken) {
		r.Spec.SetOutputs([]v1alpha1.Output{{Name: "agent", Scope: &v1alpha1.OutputScope{}}, {Name: "whole"}})
	}
	scoped := credential.NewAccessToken("ghu_scoped")
	output := secret("agent", func(s *corev1.Secret) {
		s.Labels, s.Finalizers = map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput}, nil
		// As the operator writes it; the scope is the name of the empty one.
		s.Annotations = map[string]string{v1alpha1.AnnotationScopedTokens: `{"format":1,"current":{"token":"` + string(scoped.Fingerprint()) +
			`","parent":"0123","scope":"4ece9f836cf206470de5dfcfb007135b","app":"github.com/` + clientID + `","proof":"","issuedAt":"2027-02-03T12:00:00Z","expiresAt":"2027-02-03T20:00:00Z"}}`}
		s.Data = map[string][]byte{v1alpha1.KeyScopedTokens: []byte(scoped.Reveal() + "\n")}
	})
	want := release.Output{Access: scoped, Parent: "0123", App: "github.com/" + clientID, ExpiresAt: time.Date(2027, 2, 3, 20, 0, 0, 0, time.UTC)}
	for name, c := range map[string]struct {
		named, label string
		looked       bool
	}{
		"none":                      {},
		"one with a scope":          {named: "agent", looked: true},
		"one without":               {named: "whole"},
		"one that is not asked for": {named: "other"},
		"the pair":                  {named: "octocat-token"},
		"one, and it is forbidden":  {named: "agent", label: "Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			labels := map[string]string{}
			if c.label != "" {
				labels[v1alpha1.LabelTokenServer] = c.label
			}
			cluster := newCluster(t, token(with), secret("octocat-token", nil), output, namespace(labels))
			read, err := NewReader(cluster).Read(t.Context(), release.Of{NamespacedName: octocat, Output: c.named})
			if err != nil || read.Named != c.named || (read.Output != nil) != c.looked || c.looked && *read.Output != want {
				t.Errorf("got %+v, %v", read.Output, err)
			}
			if looked := slices.Contains(cluster.reads, "secret agent") || slices.Contains(cluster.reads, "secret whole"); looked != c.looked {
				t.Errorf("it has read %v", cluster.reads)
			}
		})
	}
}
