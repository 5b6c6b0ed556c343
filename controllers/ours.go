package controllers

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// isOurs reports whether a Secret bears any mark of the operator: of a pair, a backup or an output, retained or not, and
// whatever somebody has taken off it.
func isOurs(object metav1.Object) bool {
	annotations := object.GetAnnotations()
	return object.GetLabels()[v1alpha1.LabelRole] != "" || annotations[v1alpha1.AnnotationState] != "" || annotations[v1alpha1.AnnotationSource] != "" ||
		slices.Contains(object.GetFinalizers(), v1alpha1.Finalizer) || slices.ContainsFunc(object.GetOwnerReferences(), isGitHubUserToken)
}

// isGitHubUserToken reports whether an owner reference is to a GitHubUserToken, of whatever version.
func isGitHubUserToken(owner metav1.OwnerReference) bool {
	group, _, _ := strings.Cut(owner.APIVersion, "/")
	return group == v1alpha1.GroupVersion.Group && owner.Kind == "GitHubUserToken"
}
