package pairsecret

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// quoting refuses deletions as a webhook does that quotes what it has seen.
type quoting struct {
	client.Client

	key, code string
	away      bool
}

func (q quoting) Delete(context.Context, client.Object, ...client.DeleteOption) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "code", errors.New("policy says no to "+q.code))
}

func (q quoting) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if q.away {
		return errors.New("the API server is away")
	}
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return errors.New("no Secret is asked for")
	}
	secret.Data = map[string][]byte{q.key: []byte(q.code)}
	return nil
}

func TestRemoveCodeQuotesNoCode(t *testing.T) {
	const code = "code-of-a-login" // Codes are opaque: it need not look like one.
	for _, key := range []string{v1alpha1.KeyDeviceCode, v1alpha1.KeyCodeVerifier, v1alpha1.KeyCode} {
		for name, away := range map[string]bool{"what it holds can be read": false, "it cannot": true} {
			t.Run(key+", "+name, func(t *testing.T) {
				api := quoting{key: key, code: code, away: away}
				err := (&Store{Client: api, Live: api}).RemoveCode(t.Context(), rotation.Ref{Namespace: "team-a", Name: "code"})
				if err == nil || !errors.Is(err, rotation.ErrDenied) {
					t.Fatalf("got %v, want that it is denied", err)
				}
				if strings.Contains(err.Error(), code) {
					t.Error("the code is told of")
				}
				if says := strings.Contains(err.Error(), "policy says no"); says == away {
					t.Errorf("the refusal is quoted: %t", says)
				}
			})
		}
	}
}

func TestWebLoginVerifierIsKeptInASecretOfTheResource(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	owner, verifier := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "u"}, credential.NewCodeVerifier("the verifier")
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name, UID: "u"},
	}).Build()
	store := &Store{Client: api, Live: api}
	if _, err := store.Verifier(t.Context(), owner, verifier.Fingerprint()); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("before it is kept: %v", err)
	}
	if err := store.KeepVerifier(t.Context(), owner, verifier); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Verifier(t.Context(), owner, verifier.Fingerprint()); err != nil || got != verifier {
		t.Errorf("another one is read: %v", err)
	}
	var secret corev1.Secret
	ref := owner.CodeRef(verifier.Fingerprint())
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, &secret); err != nil || !IsLogin(&secret.ObjectMeta) || len(secret.Finalizers) > 0 {
		t.Errorf("it stands in %+v: %v", secret.ObjectMeta, err)
	}
	secret.Data = map[string][]byte{v1alpha1.KeyCodeVerifier: []byte("somebody's")}
	if err := api.Update(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Verifier(t.Context(), owner, verifier.Fingerprint()); !errors.Is(err, rotation.ErrNotFound) {
		t.Errorf("what somebody else has put there is taken: %v", err)
	}
}

// What the API server says of a Secret is quoted with the Secret's name, which is told anyway, and without anything else of that length.
func TestCodeRefusalNamesItsSecret(t *testing.T) {
	ref := rotation.Owner{Namespace: "team-a", Name: "octocat", UID: "8b1c7f2e-0000-4000-8000-000000000001"}.CodeRef(credential.NewDeviceCode("a device code").Fingerprint())
	const code = "3584d83530557fdd1f46af8289938c8ef79f9dc5"
	refused := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, ref.Name, fmt.Errorf("policy says no to %s and %q", code, code))
	said := explain("create", ref, &rotation.Pair{Ref: ref}, refused).Error()
	if !strings.Contains(said, fmt.Sprintf("secrets %q is forbidden", ref.Name)) || strings.Contains(said, code) {
		t.Errorf("it says: %s", said)
	}
}
