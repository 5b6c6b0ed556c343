package cluster

import (
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// kind is a kind that the plugin deals with.
type kind struct {
	gvk        schema.GroupVersionKind
	resource   string
	namespaced bool
}

// kinds are all of them. Nothing is asked of the API server's discovery, which some may not read and which costs a request for
// each group.
var kinds = []kind{
	{v1alpha1.GroupVersion.WithKind("GitHubUserToken"), "githubusertokens", true},
	{v1alpha1.GroupVersion.WithKind("GitHubApp"), "githubapps", true},
	{v1alpha1.GroupVersion.WithKind("ClusterGitHubApp"), "clustergithubapps", false},
	{corev1.SchemeGroupVersion.WithKind("Secret"), "secrets", true},
	{corev1.SchemeGroupVersion.WithKind("Pod"), "pods", true},
	{corev1.SchemeGroupVersion.WithKind("Event"), "events", true},
	{corev1.SchemeGroupVersion.WithKind("Namespace"), "namespaces", false},
	{appsv1.SchemeGroupVersion.WithKind("Deployment"), "deployments", true},
	{coordinationv1.SchemeGroupVersion.WithKind("Lease"), "leases", true},
	{authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"), "selfsubjectaccessreviews", false},
	{authorizationv1.SchemeGroupVersion.WithKind("SubjectAccessReview"), "subjectaccessreviews", false},
	{apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), "customresourcedefinitions", false},
}

// Scheme has the Go types of these kinds.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme, coordinationv1.AddToScheme,
		authorizationv1.AddToScheme, apiextensionsv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// mapper says which resource a kind is.
func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for _, k := range kinds {
		scope := meta.RESTScopeRoot
		if k.namespaced {
			scope = meta.RESTScopeNamespace
		}
		plural := k.gvk.GroupVersion().WithResource(k.resource)
		m.AddSpecific(k.gvk, plural, plural, scope)
	}
	return m
}

// resourceOf is the group and the resource of a kind, or of the list of it.
func resourceOf(gvk schema.GroupVersionKind) schema.GroupResource {
	for _, k := range kinds {
		if k.gvk.Group == gvk.Group && (k.gvk.Kind == gvk.Kind || k.gvk.Kind+"List" == gvk.Kind) {
			return schema.GroupResource{Group: k.gvk.Group, Resource: k.resource}
		}
	}
	return schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}
}
