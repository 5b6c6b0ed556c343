package controllers

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// writesAnswered is a client whose writes are all answered so, beside a live reader that finds an object or does not.
func writesAnswered(answer, there error) checkedClient {
	scheme := runtime.NewScheme()
	utilruntime.Must(errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	return checkedClient{
		Client: interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).Build(), interceptor.Funcs{
			Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return answer },
			Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return answer },
			Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return answer
			},
			Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return answer },
			SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
				return answer
			},
		}),
		live: interceptor.NewClient(nil, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return there
			},
		}),
	}
}

// An admission webhook may answer a write with any code. What it says of an object counts when it is so.
func TestAnswersToWritesAreChecked(t *testing.T) {
	t.Parallel()
	secrets := corev1.Resource("secrets")
	notFound, exists := apierrors.NewNotFound(secrets, "octocat"), apierrors.NewAlreadyExists(secrets, "octocat")
	away := errors.New("the API server is away")
	for name, c := range map[string]struct {
		answer error
		// there is what a live read finds.
		there error
		is    func(error) bool
	}{
		"not found, and it is gone":              {notFound, notFound, apierrors.IsNotFound},
		"not found, and it is there":             {notFound, nil, apierrors.IsForbidden},
		"not found, and nobody can tell":         {notFound, away, func(err error) bool { return errors.Is(err, away) }},
		"another refusal is left as it is":       {apierrors.NewForbidden(secrets, "octocat", away), away, apierrors.IsForbidden},
		"a conflict is found out by whoever met": {apierrors.NewConflict(secrets, "octocat", away), away, apierrors.IsConflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writes := writesAnswered(c.answer, c.there)
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "octocat"}}
			secret := secretMetadata(types.NamespacedName{Namespace: "team-a", Name: "octocat"})
			nothing := client.RawPatch(types.MergePatchType, []byte(`{}`))
			for what, err := range map[string]error{
				"patch":         writes.Patch(t.Context(), secret, nothing),
				"delete":        writes.Delete(t.Context(), secret),
				"update":        writes.Update(t.Context(), token),
				"status update": writes.Status().Patch(t.Context(), token, nothing),
			} {
				if !c.is(err) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	if err := writesAnswered(exists, nil).Create(t.Context(), &corev1.Secret{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("exists, and is there: %v", err)
	}
	if err := writesAnswered(exists, notFound).Create(t.Context(), &corev1.Secret{}); !apierrors.IsForbidden(err) {
		t.Errorf("exists, and is not there: %v", err)
	}
	// Nothing depends on whether a pod is gone, and the operator may not read one.
	if err := writesAnswered(notFound, away).Delete(t.Context(), &corev1.Pod{}); !apierrors.IsNotFound(err) {
		t.Errorf("a pod: %v", err)
	}
}

// A namespace in which admission answers to every POST that there is no such namespace, or that it is being deleted, is
// not gone for that.
func TestANamespaceIsGoneWhenAReadSaysSo(t *testing.T) {
	t.Parallel()
	pair := &rotation.Pair{
		Ref: rotation.Ref{Namespace: "team-a", Name: "octocat"}, Owner: rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "u"},
	}
	notFound := func(name string) error { return apierrors.NewNotFound(corev1.Resource("namespaces"), name) }
	terminating := apierrors.NewForbidden(corev1.Resource("secrets"), "octocat", errors.New("being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	away := errors.New("the API server is away")
	for name, c := range map[string]struct {
		answer error
		// namespace and owner are what live reads bring; deleting that the namespace is on its way.
		namespace, owner error
		deleting         bool
		want             error
		gone             bool
	}{
		"404, and there is such a namespace":                {notFound("team-a"), nil, nil, false, rotation.ErrDenied, false},
		"404, and there is none":                            {notFound("team-a"), notFound("team-a"), nil, false, rotation.ErrTerminating, true},
		"said to be deleted, and it is":                     {terminating, nil, nil, true, rotation.ErrTerminating, true},
		"said to be deleted, and it is not":                 {terminating, nil, nil, false, rotation.ErrDenied, false},
		"404, and nobody can tell":                          {notFound("team-a"), away, nil, false, away, false},
		"the resource is gone, whatever else is the matter": {notFound("team-a"), nil, notFound("octocat"), false, rotation.ErrOwnerGone, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			writes := writesAnswered(c.answer, nil)
			writes.live = interceptor.NewClient(nil, interceptor.Funcs{
				Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
					if object.GetObjectKind().GroupVersionKind().Kind != "Namespace" {
						object.SetUID("u")
						return c.owner
					}
					if c.deleting {
						object.SetDeletionTimestamp(new(metav1.Now()))
					}
					return c.namespace
				},
			})
			store := &pairsecret.Store{Client: writes, Live: writes.live}
			if _, err := store.Create(t.Context(), pair); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if gone, err := store.Gone(t.Context(), pair.Owner); gone != c.gone || (err != nil) != errors.Is(c.want, away) {
				t.Errorf("gone: %t (%v), want %t", gone, err, c.gone)
			}
		})
	}
}
