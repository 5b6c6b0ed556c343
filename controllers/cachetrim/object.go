package cachetrim

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Object is the transform of a cache: it keeps of an object what is looked at. An object of another kind stays as it is.
// Object never fails, and to apply it twice changes nothing, as client-go asks of a transform.
func Object(object any) (any, error) { return keep(object, nil) }

// Keeping is Object, which keeps these labels of resources and Apps as well. The API server bounds how long each is.
func Keeping(labelKeys []string) toolscache.TransformFunc {
	return func(object any) (any, error) { return keep(object, labelKeys) }
}

func keep(object any, labelKeys []string) (any, error) {
	if unknown, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	switch object := object.(type) {
	case *metav1.PartialObjectMetadata:
		if object.Kind == "Namespace" {
			trimOthers(&object.ObjectMeta)
			break
		}
		trimSecret(object)
	case *v1alpha1.GitHubApp:
		object.Labels, object.OwnerReferences = labelsOf(object.Labels, labelKeys), nil
		trimOthers(&object.ObjectMeta)
	case *v1alpha1.ClusterGitHubApp:
		object.Labels, object.OwnerReferences = labelsOf(object.Labels, labelKeys), nil
		trimOthers(&object.ObjectMeta)
	case *v1alpha1.GitHubUserToken:
		trimToken(object, labelKeys)
	}
	return object, nil
}

// labelsOf are the labels with certain keys; nil when there are none.
func labelsOf(all map[string]string, keys []string) (kept map[string]string) {
	for _, key := range keys {
		if value, ok := all[key]; ok {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// trimOthers keeps of the metadata of an App or a namespace what is looked at: name, labels and finalizers.
func trimOthers(meta *metav1.ObjectMeta) {
	meta.Annotations, meta.ManagedFields, meta.GenerateName = nil, nil, ""
	if sizeOfStrings(meta.Finalizers) > maxFinalizers {
		meta.Finalizers = slices.DeleteFunc(slices.Clone(meta.Finalizers), func(name string) bool { return name != v1alpha1.Finalizer })
	}
	if sizeOfMap(meta.Labels) > maxNamespaceLabels {
		meta.Labels = nil // No selector matches it.
	}
}

// maxNamespaceLabels is how large the labels of a namespace may be in all.
const maxNamespaceLabels = 16 << 10
