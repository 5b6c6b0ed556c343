package controllers

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/apps"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// appKinds are the kinds of Apps that are watched.
func (r *Reconciler) appKinds() []client.Object {
	kinds := []client.Object{&v1alpha1.GitHubApp{}}
	if r.clusterApps {
		kinds = append(kinds, &v1alpha1.ClusterGitHubApp{})
	}
	return kinds
}

// appName is what a resource is indexed by as a user of its App.
func appName(object client.Object) []string {
	token, ok := object.(*v1alpha1.GitHubUserToken)
	if !ok {
		return nil
	}
	if ref := token.Spec.App.Ref; ref != nil {
		return []string{referenceIndex(ref.Kind, ref.Name)}
	}
	return []string{scope.InlineApp(token).Key()}
}

// referenceIndex is the index of resources that refer to an App. It has no slash, as those of hosts and client IDs do.
func referenceIndex(kind, name string) string { return kind + " " + name }

// specOf is the App that an object is; nil when it is none.
func specOf(object client.Object) *v1alpha1.GitHubAppSpec {
	switch app := object.(type) {
	case *v1alpha1.GitHubApp:
		return &app.Spec
	case *v1alpha1.ClusterGitHubApp:
		return &app.Spec.GitHubAppSpec
	default:
		return nil
	}
}

func appKeys(object client.Object) []string {
	if spec := specOf(object); spec != nil {
		return []string{apps.Key(spec)}
	}
	return nil
}

func appSecrets(object client.Object) []string {
	if spec := specOf(object); spec != nil && spec.ClientSecretRef != nil {
		return []string{spec.ClientSecretRef.Name}
	}
	return nil
}
