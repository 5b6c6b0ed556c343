package appstatus

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// app is a GitHubApp or a ClusterGitHubApp.
type app interface {
	client.Object

	// AppSpec is what both have.
	AppSpec() *v1alpha1.GitHubAppSpec
	// AppStatus is the status of both.
	AppStatus() *v1alpha1.GitHubAppStatus
}

var _, _ app = &v1alpha1.GitHubApp{}, &v1alpha1.ClusterGitHubApp{}

// kindOf is the kind by which resources refer to an App.
func kindOf(a app) string {
	if _, ok := a.(*v1alpha1.ClusterGitHubApp); ok {
		return v1alpha1.KindClusterGitHubApp
	}
	return v1alpha1.KindGitHubApp
}
