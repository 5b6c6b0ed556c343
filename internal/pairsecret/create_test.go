package pairsecret

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

func TestASecretIsNotLeftForAResourceThatWentMeanwhile(t *testing.T) {
	owner := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "u"}
	for name, c := range map[string]struct {
		// meanwhile happens to the resource between the first look at it and the creation.
		meanwhile func(ctx context.Context, c client.Client, token *v1alpha1.GitHubUserToken) error
		left      bool
	}{
		"it stays": {
			meanwhile: func(context.Context, client.Client, *v1alpha1.GitHubUserToken) error { return nil }, left: true,
		},
		"it goes": {
			meanwhile: func(ctx context.Context, c client.Client, token *v1alpha1.GitHubUserToken) error {
				return c.Delete(ctx, token)
			},
		},
		"another of its name comes": {
			meanwhile: func(ctx context.Context, c client.Client, token *v1alpha1.GitHubUserToken) error {
				next := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: token.Namespace, Name: token.Name, UID: "next"}}
				return errors.Join(c.Delete(ctx, token), c.Create(ctx, next))
			},
		},
	} {
		test := func(t *testing.T, fence bool) {
			scheme := runtime.NewScheme()
			if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
				t.Fatal(err)
			}
			token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: "u"}}
			api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(token).Build()
			store := &Store{Live: api, Client: interceptor.NewClient(api, interceptor.Funcs{
				Create: func(ctx context.Context, under client.WithWatch, object client.Object, options ...client.CreateOption) error {
					return errors.Join(c.meanwhile(ctx, under, token), under.Create(ctx, object, options...))
				},
			})}
			looks := 0
			store.Live = interceptor.NewClient(api, interceptor.Funcs{Get: func(ctx context.Context, under client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				if _, isOwner := object.(*metav1.PartialObjectMetadata); isOwner && object.GetObjectKind().GroupVersionKind().Kind == "GitHubUserToken" {
					looks++
				}
				return under.Get(ctx, key, object, options...)
			}})
			pair := &rotation.Pair{Ref: rotation.Ref{Namespace: owner.Namespace, Name: "pair"}, Owner: owner, State: rotation.State{Owner: owner.UID}}
			wantLooks := 2
			if fence { // It holds nothing yet: one look, when it stands.
				pair.Intent, wantLooks = &rotation.Intent{ID: "intent", Spends: "token", Login: true}, 1
			}
			created, err := store.Create(t.Context(), pair)
			if looks != wantLooks {
				t.Errorf("the resource was looked for %d times, want %d", looks, wantLooks)
			}
			if c.left != (err == nil && created != nil) || !c.left && !errors.Is(err, rotation.ErrOwnerGone) {
				t.Errorf("created %v, %v", created, err)
			}
			var secret corev1.Secret
			err = api.Get(t.Context(), client.ObjectKey{Namespace: owner.Namespace, Name: "pair"}, &secret)
			if gone := apierrors.IsNotFound(err); gone == c.left {
				t.Errorf("the Secret is gone: %t, %v", gone, err)
			}
		}
		t.Run(name, func(t *testing.T) { test(t, false) })
		t.Run(name+", and it is a fence", func(t *testing.T) { test(t, true) })
	}
}
