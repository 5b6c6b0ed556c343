package cachetrim

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
)

const (
	// maxSpec is how large the labels and annotations in a spec, and maxStatus how large the conditions may be that the
	// cache keeps. All else in them is bounded by the schema.
	maxSpec   = 16 << 10
	maxStatus = 16 << 10
	// maxFinalizers is how large the finalizers may be.
	maxFinalizers = 1 << 10
	// maxWord is how long one of our annotations may be. Longer ones have no meaning, so that their beginning will do.
	maxWord = 256
)

// trimToken keeps of a resource's metadata what is looked at, and of the rest what is not too large.
func trimToken(token *v1alpha1.GitHubUserToken, labelKeys []string) {
	token.Annotations = ownAnnotations(token)
	token.ManagedFields, token.OwnerReferences, token.GenerateName = nil, nil, ""
	token.Labels = labelsOf(token.Labels, labelKeys)
	token.SetSelfLink("")
	trimmed := false
	if sizeOfStrings(token.Finalizers) > maxFinalizers {
		trimmed = true
		token.Finalizers = slices.DeleteFunc(slices.Clone(token.Finalizers), func(name string) bool { return name != v1alpha1.Finalizer })
	}
	if sizeOfSpec(&token.Spec) > maxSpec {
		trimmed = true
		token.Spec.Secret.Labels, token.Spec.Secret.Annotations = nil, nil
		for i := range token.Spec.Outputs {
			token.Spec.Outputs[i].Labels, token.Spec.Outputs[i].Annotations = nil, nil
		}
		for i := range token.Spec.ScopedOutputs {
			token.Spec.ScopedOutputs[i].Labels, token.Spec.ScopedOutputs[i].Annotations = nil, nil
		}
	}
	if sizeOfConditions(token.Status.Conditions) > maxStatus {
		trimmed, token.Status.Conditions = true, nil
	}
	if trimmed {
		token.Annotations = metapatch.Trimmed(token.Annotations, 0)
	}
	shareTexts(token)
}

// ownAnnotations are those of a resource that mean something to the operator.
func ownAnnotations(token *v1alpha1.GitHubUserToken) map[string]string {
	var kept map[string]string
	for _, key := range []string{v1alpha1.AnnotationHoldUntil, v1alpha1.AnnotationAdopt, v1alpha1.AnnotationRefreshRequestedAt, v1alpha1.AnnotationWebLoginRequested, v1alpha1.AnnotationRevocationRequested, v1alpha1.AnnotationAlternateOf, metapatch.AnnotationTrimmed} {
		value, ok := token.Annotations[key]
		if !ok {
			continue
		}
		if len(value) > maxWord {
			value = strings.Clone(value[:maxWord]) // A copy: it must not keep the whole alive.
		}
		if key == v1alpha1.AnnotationRefreshRequestedAt {
			value = scope.RequestOf(token) // It names the whole of a long one.
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[key] = value
	}
	return kept
}

func sizeOfSpec(spec *v1alpha1.GitHubUserTokenSpec) int {
	size := sizeOfMap(spec.Secret.Labels) + sizeOfMap(spec.Secret.Annotations)
	for i := range spec.Outputs {
		size += sizeOfMap(spec.Outputs[i].Labels) + sizeOfMap(spec.Outputs[i].Annotations)
	}
	for i := range spec.ScopedOutputs {
		size += sizeOfMap(spec.ScopedOutputs[i].Labels) + sizeOfMap(spec.ScopedOutputs[i].Annotations)
	}
	return size
}

func sizeOfMap[M ~map[string]string](m M) (size int) {
	for key, value := range m {
		size += len(key) + len(value)
	}
	return size
}

func sizeOfConditions(conditions []metav1.Condition) (size int) {
	for i := range conditions {
		size += len(conditions[i].Type) + len(conditions[i].Reason) + len(conditions[i].Message)
	}
	return size
}

func sizeOfStrings(texts []string) (size int) {
	for _, text := range texts {
		size += len(text)
	}
	return size
}
