package cachetrim

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/pairsecret"
)

// What a cache keeps of an object that anybody may write is bounded, in bytes. What the operator itself and people
// write is far below these bounds.
const (
	// maxState and maxIntent are how long these annotations may be. Longer ones were not written by the operator; they
	// count as garbled.
	maxState  = pairsecret.MaxState
	maxIntent = pairsecret.MaxIntent
	// maxMetadata is how large the rest of the metadata may be.
	maxMetadata = 8 << 10
	// maxOwnAnnotation and maxOwner are how large one of our other annotations and the controller may be where that is
	// exceeded.
	maxOwnAnnotation = 1 << 10
	maxOwner         = 1 << 10
	// maxScopedTokens is how long the annotation may be that says which scoped tokens an output holds.
	maxScopedTokens = 4 << 10
	// tooLong stands in the place of a state and an intent that are. It is no JSON.
	tooLong = "too long"
)

// trimSecret keeps of a Secret's metadata what is looked at, and what others have added as long as that is not too much.
func trimSecret(object *metav1.PartialObjectMetadata) {
	meta := &object.ObjectMeta
	managers.Trim(meta)
	meta.GenerateName = ""
	meta.SetSelfLink("")
	for key, limit := range map[string]int{v1alpha1.AnnotationState: maxState, v1alpha1.AnnotationIntent: maxIntent} {
		if len(meta.Annotations[key]) > limit {
			meta.Annotations[key] = tooLong
		}
	}
	if sizeOfMetadata(meta) <= maxMetadata {
		return
	}
	whole := metapatch.SizeOf(meta.Annotations)
	maps.DeleteFunc(meta.Annotations, func(key, value string) bool { return len(value) > boundOf(key) })
	maps.DeleteFunc(meta.Labels, func(key, _ string) bool { return key != v1alpha1.LabelRole && key != v1alpha1.LabelOwner })
	if slices.Contains(meta.Finalizers, v1alpha1.Finalizer) {
		meta.Finalizers = []string{v1alpha1.Finalizer}
	} else {
		meta.Finalizers = nil
	}
	meta.OwnerReferences = trimOwners(meta.OwnerReferences)
	meta.Annotations = metapatch.Trimmed(meta.Annotations, whole-metapatch.SizeOf(meta.Annotations))
}

// boundOf is how long the value of an annotation may be where all come to too much; negative when it is none of those
// that are looked at.
func boundOf(key string) int {
	switch key {
	case v1alpha1.AnnotationState:
		return maxState
	case v1alpha1.AnnotationIntent:
		return maxIntent
	case v1alpha1.AnnotationScopedTokens:
		return maxScopedTokens
	case v1alpha1.AnnotationSource, v1alpha1.AnnotationPublication, v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt, v1alpha1.AnnotationAppliedMetadata, metapatch.AnnotationTrimmed:
		return maxOwnAnnotation
	default:
		return -1
	}
}

// sizeOfMetadata is the size of what anybody may have added to the metadata.
func sizeOfMetadata(meta *metav1.ObjectMeta) int {
	size := 0
	for key, value := range meta.Annotations {
		if key != v1alpha1.AnnotationState && key != v1alpha1.AnnotationIntent {
			size += len(key) + len(value)
		}
	}
	for key, value := range meta.Labels {
		size += len(key) + len(value)
	}
	for _, finalizer := range meta.Finalizers {
		size += len(finalizer)
	}
	for i := range meta.OwnerReferences {
		size += sizeOfOwner(&meta.OwnerReferences[i])
	}
	return size
}

func sizeOfOwner(owner *metav1.OwnerReference) int {
	return len(owner.APIVersion) + len(owner.Kind) + len(owner.Name) + len(owner.UID)
}

// trimOwners is the controller alone. One that is too long can be no resource of ours: in its place stands another that
// is none either.
func trimOwners(owners []metav1.OwnerReference) []metav1.OwnerReference {
	i := slices.IndexFunc(owners, func(owner metav1.OwnerReference) bool { return owner.Controller != nil && *owner.Controller })
	if i < 0 {
		return nil
	}
	controller := owners[i]
	if sizeOfOwner(&controller) > maxOwner {
		controller = metav1.OwnerReference{APIVersion: "v1", Kind: tooLong, Name: tooLong, UID: tooLong, Controller: new(true)}
	}
	return []metav1.OwnerReference{controller}
}
