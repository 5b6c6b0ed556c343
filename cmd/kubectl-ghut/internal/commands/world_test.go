package commands

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/cluster"
)

// world is a cluster in memory, with an operator that a test plays, and a clock that runs while a command waits.
type world struct {
	t      *testing.T
	client client.WithWatch
	env    *environment
	out    bytes.Buffer
	err    bytes.Buffer
	opened []string
	// pass is called each time a command waits.
	pass func()
	// failing is called before each request for an object, and may have it fail.
	failing func(client.Object) error
	// patching and listing are called before each request of their kind, and may have it fail.
	patching, listing func() error
	// refused are the resources in which the user may create nothing.
	refused map[string]bool

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	scheme, err := cluster.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Date(2027, 2, 3, 12, 0, 0, 0, time.UTC), pass: func() {}, failing: func(client.Object) error { return nil },
		patching: func() error { return nil }, listing: func() error { return nil }, refused: map[string]bool{}}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&v1alpha1.GitHubUserToken{}).
		WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string { return []string{string(o.(*corev1.Event).InvolvedObject.UID)} }).
		WithIndex(&corev1.Event{}, "reason", func(o client.Object) []string { return []string{o.(*corev1.Event).Reason} }).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, inner client.WithWatch, object client.Object, options ...client.CreateOption) error {
			if review, ok := object.(*authorizationv1.SelfSubjectAccessReview); ok {
				review.Status.Allowed = !w.refused[review.Spec.ResourceAttributes.Resource]
				return nil
			}
			if err := w.failing(object); err != nil {
				return err
			}
			return inner.Create(ctx, object, options...)
		},
		Get: func(ctx context.Context, inner client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if err := w.failing(object); err != nil {
				return err
			}
			return inner.Get(ctx, key, object, options...)
		},
		Patch: func(ctx context.Context, inner client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if err := w.patching(); err != nil {
				return err
			}
			return inner.Patch(ctx, object, patch, options...)
		},
		List: func(ctx context.Context, inner client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if err := w.listing(); err != nil {
				return err
			}
			return inner.List(ctx, list, options...)
		},
	}).Build()
	w.env = &environment{
		version: "v0.0.0-test", in: strings.NewReader(""), out: &w.out, err: &w.err,
		now: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			w.now = w.now.Add(d)
			w.mu.Unlock()
			w.pass()
			return context.Cause(ctx)
		},
		isTerminal: func() bool { return false }, errIsTerminal: func() bool { return false },
		openBrowser: func(_ context.Context, page string) error { w.opened = append(w.opened, page); return nil },
		connect: func() (*cluster.Cluster, error) {
			return &cluster.Cluster{Client: cluster.Explaining(w.client), Namespace: "team-a", Version: func(context.Context) (string, error) { return "v1.37.1", nil }}, nil
		},
	}
	return w
}

// run runs a command and returns its exit code.
func (w *world) run(args ...string) int {
	w.t.Helper()
	return run(w.t.Context(), w.env, args)
}

func (w *world) token(name string) *v1alpha1.GitHubUserToken {
	w.t.Helper()
	token := &v1alpha1.GitHubUserToken{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: "team-a", Name: name}, token); err != nil {
		w.t.Fatal(err)
	}
	return token
}

// report writes a status, as the operator does.
func (w *world) report(token *v1alpha1.GitHubUserToken) {
	w.t.Helper()
	token.Status.ObservedGeneration = token.Generation
	if err := w.client.Status().Update(w.t.Context(), token); err != nil {
		w.t.Fatal(err)
	}
}

// resource is one that a person can log in to by both methods.
func resource() *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat", UID: "uid-of-octocat"},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:   v1alpha1.App{ClientID: "Iv23liEXAMPLE", ClientSecretRef: &v1alpha1.ClientSecretReference{Name: "github-app"}},
			Login: &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodDeviceFlow, v1alpha1.LoginMethodWebFlow}},
			User:  &v1alpha1.UserSelector{Login: "octocat"},
		},
	}
}

func condition(kind, status, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: "message of " + reason}
}

// contains demands texts in what a command has printed.
func (w *world) contains(text string, wants ...string) {
	w.t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			w.t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}
