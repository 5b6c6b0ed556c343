package outputs

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// IsOutputOf reports whether a Secret may be written as an output of the resource: it is controlled by it or by
// a former resource of this name, or it carries the marks of its outputs and has no controller, as after a
// restore from a backup. A pair or its backup is no output, whatever its labels say.
func IsOutputOf(token *v1alpha1.GitHubUserToken, meta *metav1.ObjectMeta) bool {
	role := meta.Labels[v1alpha1.LabelRole]
	if role == v1alpha1.RolePair || role == v1alpha1.RoleBackup || role == v1alpha1.RoleLogin || meta.Annotations[v1alpha1.AnnotationState] != "" ||
		slices.Contains(meta.Finalizers, v1alpha1.Finalizer) {
		return false
	}
	if controller := metav1.GetControllerOfNoCopy(meta); controller != nil {
		group, _, _ := strings.Cut(controller.APIVersion, "/")
		return group == v1alpha1.GroupVersion.Group && controller.Kind == kind && controller.Name == token.Name
	}
	return role == v1alpha1.RoleOutput && meta.Labels[v1alpha1.LabelOwner] == v1alpha1.OwnerLabel(token.Name) &&
		meta.Annotations[v1alpha1.AnnotationSource] != ""
}

// kind is the kind of the resources that control outputs.
const kind = "GitHubUserToken"
