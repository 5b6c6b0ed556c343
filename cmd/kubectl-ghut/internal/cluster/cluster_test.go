package cluster

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

var secrets = schema.GroupResource{Resource: "secrets"}

// failing is a client whose requests all fail.
func failing(t *testing.T, err error) Client {
	t.Helper()
	scheme, schemeErr := Scheme()
	if schemeErr != nil {
		t.Fatal(schemeErr)
	}
	return Explaining(fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return err
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return err },
	}).Build())
}

func TestClusterNamesThePermissionThatIsMissing(t *testing.T) {
	refused := apierrors.NewForbidden(secrets, "octocat-token", errors.New(`User "x" cannot get resource "secrets" in API group "" in the namespace "team-a"`))
	err := failing(t, refused).Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: "octocat-token"}, &corev1.Secret{})
	if want := `a permission is missing: you may not get secrets (API group "") in namespace team-a`; err == nil || err.Error() != want || !IsForbidden(err) {
		t.Errorf("it says %v, want %s", err, want)
	}
	err = failing(t, refused).List(t.Context(), &v1alpha1.GitHubUserTokenList{})
	if want := `a permission is missing: you may not list githubusertokens (API group "githubusertoken.dev") in the whole cluster`; err == nil || err.Error() != want {
		t.Errorf("it says %v, want %s", err, want)
	}
}

func TestClusterTellsARefusalByAdmissionFromAMissingPermission(t *testing.T) {
	refused := apierrors.NewForbidden(secrets, "x", errors.New("ValidatingAdmissionPolicy 'walls' denied request: you cannot do this"))
	err := failing(t, refused).Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: "x"}, &corev1.Secret{})
	if err == nil || IsForbidden(err) || !strings.Contains(err.Error(), "walls") {
		t.Errorf("it says %v", err)
	}
}

func TestClusterTellsAMissingObjectFromAMissingDefinition(t *testing.T) {
	resource := schema.GroupResource{Group: "githubusertoken.dev", Resource: "githubusertokens"}
	err := failing(t, apierrors.NewNotFound(resource, "octocat")).Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: "octocat"}, &v1alpha1.GitHubUserToken{})
	if err == nil || err.Error() != "there is no GitHubUserToken octocat in namespace team-a" || !IsNotFound(err) {
		t.Errorf("it says %v", err)
	}
	// What client-go makes of "404 page not found".
	unknown := apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource, "octocat", "404 page not found", 0, true)
	err = failing(t, unknown).Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: "octocat"}, &v1alpha1.GitHubUserToken{})
	if !errors.Is(err, ErrNotInstalled) || IsNotFound(err) {
		t.Errorf("it says %v", err)
	}
}

func TestClusterErrorsHoldNoToken(t *testing.T) {
	token := "ghu_" + strings.Repeat("x9Y", 12)
	quoting := apierrors.NewInvalid(schema.GroupKind{Kind: "Secret"}, "x", nil)
	quoting.ErrStatus.Message = "a webhook quotes " + token
	err := failing(t, quoting).Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: "x"}, &corev1.Secret{})
	if err == nil || strings.Contains(err.Error(), token) {
		t.Error("an error holds a token")
	}
}

func TestClusterKnowsTheResourceOfEachKind(t *testing.T) {
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if !scheme.Recognizes(k.gvk) {
			t.Errorf("the scheme has no type for %s", k.gvk)
		}
		mapping, err := mapper().RESTMapping(k.gvk.GroupKind(), k.gvk.Version)
		if err != nil || mapping.Resource.Resource != k.resource || (mapping.Scope.Name() == "namespace") != k.namespaced {
			t.Errorf("%s is mapped to %v (%v)", k.gvk, mapping, err)
		}
	}
}
