package pairsecret

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/compared"
)

var (
	letGoOwner = rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "u"}
	letGoRef   = rotation.Ref{Namespace: "team-a", Name: "octocat-token"}
	// audited and app are what others have put on the Secret.
	audited = "example.com/audit"
	app     = metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "app", UID: "app"}
)

// newLetGo is a store with a pair, as it was read, on an API server whose admission alters what is written to Secrets.
func newLetGo(t *testing.T, alter func(*corev1.Secret)) (*Store, *rotation.Pair) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	secret := toSecret(&rotation.Pair{
		Ref: letGoRef, Owner: letGoOwner, State: rotation.State{Owner: "u", OwnerName: "octocat"}, RefreshToken: credential.NewRefreshToken("ghr_r"),
	})
	secret.UID, secret.Finalizers, secret.OwnerReferences = "s", append(secret.Finalizers, audited), append(secret.OwnerReferences, app)
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(secret).Build()
	admitted := interceptor.NewClient(api, interceptor.Funcs{
		Patch: func(ctx context.Context, under client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			if err := under.Patch(ctx, object, patch, options...); err != nil || alter == nil {
				return err
			}
			var stored corev1.Secret
			if err := under.Get(ctx, client.ObjectKeyFromObject(object), &stored); err != nil {
				return err
			}
			alter(&stored)
			if err := under.Update(ctx, &stored, &client.UpdateOptions{DryRun: (&client.PatchOptions{}).ApplyOptions(options).DryRun}); err != nil {
				return err
			}
			if written, ok := object.(*corev1.Secret); ok {
				*written = stored
			} else {
				object.(*metav1.PartialObjectMetadata).ObjectMeta = stored.ObjectMeta
			}
			return nil
		},
	})
	store := &Store{Client: admitted, Live: api}
	pair, err := store.Get(t.Context(), letGoRef)
	if err != nil || !pair.Controlled {
		t.Fatalf("%+v, %v", pair, err)
	}
	return store, pair
}

func (s *Store) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	if err := s.Live.Get(t.Context(), client.ObjectKey(letGoRef), &secret); err != nil {
		t.Fatal(err)
	}
	return &secret
}

// A pair is let go of in two writes: the finalizer stays until it was seen that the first one is stored as it was written.
func TestAPairIsLetGoOfBeforeItsFinalizerGoes(t *testing.T) {
	store, pair := newLetGo(t, nil)
	left, err := store.Update(t.Context(), pair, pair.AsRetained())
	if err != nil || left.Controlled || !left.Orphan || !left.IsRetained() || left.RefreshToken.IsZero() {
		t.Fatalf("%+v, %v", left, err)
	}
	if secret := store.secret(t); !slices.Equal(secret.Finalizers, []string{v1alpha1.Finalizer, audited}) || len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].UID != app.UID {
		t.Errorf("it has the finalizers %v and the owners %v", secret.Finalizers, secret.OwnerReferences)
	}
	if _, err := store.Release(t.Context(), pair); !errors.Is(err, rotation.ErrConflict) {
		t.Errorf("of an older version: %v", err)
	}
	released, err := store.Release(t.Context(), left)
	if err != nil || !released.Orphan || !released.IsRetained() || released.Version == left.Version {
		t.Fatalf("%+v, %v", released, err)
	}
	if secret := store.secret(t); !slices.Equal(secret.Finalizers, []string{audited}) || len(secret.OwnerReferences) != 1 {
		t.Errorf("it has the finalizers %v and the owners %v", secret.Finalizers, secret.OwnerReferences)
	}
	if again, err := store.Release(t.Context(), released); err != nil || again.Version != released.Version {
		t.Errorf("what has nothing to be taken off was written: %v", err)
	}
	if err := store.Client.Delete(t.Context(), store.secret(t)); err != nil {
		t.Fatal(err)
	}
	store.Live = fake.NewClientBuilder().Build()
	if gone, err := store.Release(t.Context(), released); gone != nil || err != nil {
		t.Errorf("of one that is gone: %+v, %v", gone, err)
	}
}

func TestALettingGoThatIsTriedWritesNothing(t *testing.T) {
	store, pair := newLetGo(t, nil)
	if _, err := store.Try(t.Context(), pair, pair.AsRetained()); err != nil {
		t.Error(err)
	}
	if secret := store.secret(t); secret.ResourceVersion != pair.Version || len(secret.OwnerReferences) != 2 {
		t.Errorf("it was written: version %s, owners %v", secret.ResourceVersion, secret.OwnerReferences)
	}
}

// With an owner that was not sent the garbage collector would take the Secret some day, whether it is the controller or not.
func TestAPairThatIsGivenAnOwnerIsNotLetGoOf(t *testing.T) {
	ours := ownerReference(letGoOwner)
	plain, stranger := ours, app
	plain.Controller, plain.BlockOwnerDeletion = nil, nil
	stranger.UID = "another"
	for name, c := range map[string]struct {
		reference metav1.OwnerReference
		orphan    bool
	}{
		"the controller again":          {ours, false},
		"the owner, not as controller":  {plain, false},
		"another owner":                 {stranger, false},
		"the one that was there before": {app, true},
	} {
		t.Run(name, func(t *testing.T) {
			put := func(secret *corev1.Secret) {
				if !slices.ContainsFunc(secret.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == c.reference.UID }) {
					secret.OwnerReferences = append(secret.OwnerReferences, c.reference)
				}
			}
			store, pair := newLetGo(t, put)
			left, err := store.Update(t.Context(), pair, pair.AsRetained())
			if err != nil || left.Orphan != c.orphan {
				t.Errorf("it is let go of: %t, want %t (%v)", left.Orphan, c.orphan, err)
			}
			if err := compared.Compare(pair, pair.AsRetained(), left); (err == nil) != c.orphan || err != nil && !strings.Contains(err.Error(), "the owner reference") {
				t.Errorf("it counts as altered: %v", err)
			}
			// The same when the finalizer is taken off.
			store, pair = newLetGo(t, nil)
			if left, err = store.Update(t.Context(), pair, pair.AsRetained()); err != nil {
				t.Fatal(err)
			}
			admitted, _ := newLetGo(t, put)
			admitted.Live = store.Live
			admitted.Client = interceptor.NewClient(store.Client.(client.WithWatch), interceptor.Funcs{
				Patch: func(ctx context.Context, under client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
					err := under.Patch(ctx, object, patch, options...)
					put(object.(*corev1.Secret))
					return err
				},
			})
			if released, err := admitted.Release(t.Context(), left); err != nil || released.Orphan != c.orphan {
				t.Errorf("it is released as one of nobody: %+v, want %t (%v)", released, c.orphan, err)
			}
		})
	}
}

// An owner reference that is not the controller's would have the Secret go as well. It is taken off with the finalizer.
func TestWhatIsLeftOfTheOwnerGoesWithTheFinalizer(t *testing.T) {
	store, pair := newLetGo(t, nil)
	left, err := store.Update(t.Context(), pair, pair.AsRetained())
	if err != nil {
		t.Fatal(err)
	}
	secret := store.secret(t)
	plain := ownerReference(letGoOwner)
	plain.Controller = nil
	secret.OwnerReferences = append(secret.OwnerReferences, plain)
	if err := store.Client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	left.Version = secret.ResourceVersion
	released, err := store.Release(t.Context(), left)
	if err != nil || !released.Orphan {
		t.Errorf("%+v, %v", released, err)
	}
	if secret := store.secret(t); len(secret.OwnerReferences) != 1 || slices.Contains(secret.Finalizers, v1alpha1.Finalizer) {
		t.Errorf("it has the finalizers %v and the owners %v", secret.Finalizers, secret.OwnerReferences)
	}
}

// A Secret whose finalizer admission puts back would be held by it for ever, and so would its namespace.
func TestAFinalizerThatIsPutBackIsNoticed(t *testing.T) {
	putBack := func(secret *corev1.Secret) {
		if !slices.Contains(secret.Finalizers, v1alpha1.Finalizer) {
			secret.Finalizers = append(secret.Finalizers, v1alpha1.Finalizer)
		}
	}
	for what, take := range map[string]func(*Store, *rotation.Pair) error{
		"when a pair is let go of": func(s *Store, pair *rotation.Pair) error {
			_, err := s.Release(t.Context(), pair)
			return err
		},
		"when a Secret is removed": func(s *Store, pair *rotation.Pair) error { return s.Remove(t.Context(), pair) },
	} {
		t.Run(what, func(t *testing.T) {
			store, pair := newLetGo(t, putBack)
			err := take(store, pair)
			if !errors.Is(err, rotation.ErrAltered) || !strings.Contains(err.Error(), "finalizer "+v1alpha1.Finalizer) || !strings.Contains(err.Error(), "team-a/octocat-token") {
				t.Errorf("got %v", err)
			}
			if store.secret(t).DeletionTimestamp != nil {
				t.Error("it was deleted all the same")
			}
		})
	}
}
