package format

import (
	"maps"
	"strconv"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Metadata is what the operator wants on an output.
type Metadata struct {
	Labels      map[string]string
	Annotations map[string]string
}

// Source is the fingerprint of the content, see Fingerprint.
func (m Metadata) Source() string { return m.Annotations[v1alpha1.AnnotationSource] }

// MetadataFor is the labels and annotations of an output: the user's, with the list of them, and the
// operator's own, which win. An annotation on a time that is not known is left out, and Difference takes it off
// where it stands.
func MetadataFor(spec v1alpha1.Output, pair *rotation.Pair, defaults Defaults) Metadata {
	m := Metadata{Labels: map[string]string{}, Annotations: metapatch.Annotations(spec.Labels, spec.Annotations)}
	maps.Copy(m.Labels, spec.Labels)

	m.Labels[v1alpha1.LabelRole] = v1alpha1.RoleOutput
	m.Labels[v1alpha1.LabelOwner] = v1alpha1.OwnerLabel(pair.Owner.Name)
	m.Annotations[v1alpha1.AnnotationSource] = Fingerprint(spec, pair, defaults)
	delete(m.Annotations, v1alpha1.AnnotationExpiresAt)
	delete(m.Annotations, v1alpha1.AnnotationNextRefreshAt)
	if pair.State.Expires() {
		m.Annotations[v1alpha1.AnnotationExpiresAt] = timestamp(pair.State.ExpiresAt)
	}
	if spec.Published {
		m.Annotations[v1alpha1.AnnotationPublication] = strconv.FormatInt(pair.State.Publication, 10)
	}
	if !pair.NextRefreshAt.IsZero() {
		m.Annotations[v1alpha1.AnnotationNextRefreshAt] = timestamp(pair.NextRefreshAt)
	}
	return m
}

// Difference is what must change in the metadata of an output, as merge patches: what is wanted is set, and
// what was applied before and is wanted no longer is taken off, as is a time that is true no longer. What
// others have added stays. Both are empty when nothing must change.
func (m Metadata) Difference(labels, annotations map[string]string) (labelsPatch, annotationsPatch map[string]any) {
	labelsBefore, annotationsBefore := metapatch.Applied(annotations[v1alpha1.AnnotationAppliedMetadata])
	labelsPatch = metapatch.Difference(labels, m.Labels, labelsBefore)
	annotationsPatch = metapatch.Difference(annotations, m.Annotations, append(annotationsBefore,
		v1alpha1.AnnotationAppliedMetadata, v1alpha1.AnnotationExpiresAt, v1alpha1.AnnotationNextRefreshAt, v1alpha1.AnnotationPublication, v1alpha1.AnnotationScopedTokens))
	return labelsPatch, annotationsPatch
}
