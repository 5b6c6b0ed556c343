package outputs

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

func TestOutputMayBeWrittenOnlyWhereItIsTheResourcesOwn(t *testing.T) {
	token := &v1alpha1.GitHubUserToken{ObjectMeta: metav1.ObjectMeta{Name: "octocat", UID: "now"}}
	controlledBy := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: name, UID: "then", Controller: new(true)}}
	}
	marks := func(change func(*metav1.ObjectMeta)) metav1.ObjectMeta {
		meta := metav1.ObjectMeta{
			Labels:      map[string]string{v1alpha1.LabelRole: v1alpha1.RoleOutput, v1alpha1.LabelOwner: "octocat"},
			Annotations: map[string]string{v1alpha1.AnnotationSource: "x"},
		}
		change(&meta)
		return meta
	}
	for name, c := range map[string]struct {
		meta metav1.ObjectMeta
		want bool
	}{
		"a Secret without any mark":      {metav1.ObjectMeta{}, false},
		"one of a resource of this name": {metav1.ObjectMeta{OwnerReferences: controlledBy("GitHubUserToken", "octocat")}, true},
		"one of another resource":        {marks(func(m *metav1.ObjectMeta) { m.OwnerReferences = controlledBy("GitHubUserToken", "hubot") }), false},
		"one of another controller":      {marks(func(m *metav1.ObjectMeta) { m.OwnerReferences = controlledBy("SealedSecret", "octocat") }), false},
		"one of another group's kind": {marks(func(m *metav1.ObjectMeta) {
			m.OwnerReferences = controlledBy("GitHubUserToken", "octocat")
			m.OwnerReferences[0].APIVersion = "example.com/v1"
		}), false},
		"restored without an owner":              {marks(func(*metav1.ObjectMeta) {}), true},
		"restored, of another resource":          {marks(func(m *metav1.ObjectMeta) { m.Labels[v1alpha1.LabelOwner] = "hubot" }), false},
		"a label alone":                          {marks(func(m *metav1.ObjectMeta) { m.Annotations = nil }), false},
		"the resource's pair":                    {marks(func(m *metav1.ObjectMeta) { m.Labels[v1alpha1.LabelRole] = v1alpha1.RolePair }), false},
		"the resource's backup":                  {marks(func(m *metav1.ObjectMeta) { m.Labels[v1alpha1.LabelRole] = v1alpha1.RoleBackup }), false},
		"the pair with the label of an output":   {marks(func(m *metav1.ObjectMeta) { m.Annotations[v1alpha1.AnnotationState] = "{}" }), false},
		"the pair with all its metadata changed": {marks(func(m *metav1.ObjectMeta) { m.Finalizers = []string{v1alpha1.Finalizer} }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := IsOutputOf(token, &c.meta); got != c.want {
				t.Errorf("it may be written: %t, want %t", got, c.want)
			}
		})
	}
}
