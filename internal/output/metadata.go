package output

import (
	"maps"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Metadata is what the operator wants on an output.
type Metadata struct {
	Labels      map[string]string
	Annotations map[string]string
}

// MetadataFor returns the labels and annotations of an output: the user's, and the operator's own, which
// win. An annotation on a time that is not known is left out, and has to be removed where it stands.
func MetadataFor(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) Metadata {
	m := Metadata{Labels: map[string]string{}, Annotations: map[string]string{}}
	maps.Copy(m.Labels, spec.Labels)
	maps.Copy(m.Annotations, spec.Annotations)

	m.Labels[v1alpha1.LabelRole] = v1alpha1.RoleOutput
	m.Labels[v1alpha1.LabelOwner] = v1alpha1.OwnerLabel(pair.Owner.Name)
	m.Annotations[v1alpha1.AnnotationSource] = Fingerprint(spec, pair, defaults)
	delete(m.Annotations, v1alpha1.AnnotationExpiresAt)
	delete(m.Annotations, v1alpha1.AnnotationNextRefreshAt)
	if pair.State.Expires() {
		m.Annotations[v1alpha1.AnnotationExpiresAt] = timestamp(pair.State.ExpiresAt)
	}
	if !pair.NextRefreshAt.IsZero() {
		m.Annotations[v1alpha1.AnnotationNextRefreshAt] = timestamp(pair.NextRefreshAt)
	}
	return m
}

// Matches says whether an object's metadata is as wanted. What others have added does not matter; a time
// that is no longer true must not stand there.
func (m Metadata) Matches(labels, annotations map[string]string) bool {
	for _, key := range []string{v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt} {
		if annotations[key] != m.Annotations[key] {
			return false
		}
	}
	return covers(labels, m.Labels) && covers(annotations, m.Annotations)
}

func covers(have, want map[string]string) bool {
	for key, value := range want {
		if stands, ok := have[key]; !ok || stands != value {
			return false
		}
	}
	return true
}
