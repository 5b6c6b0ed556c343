package outputs

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/managers"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// finding is what the metadata of an output tells of it.
type finding int

const (
	// right: nothing is to be done.
	right finding = iota
	// metadataAmiss: labels or annotations differ, and the data is right.
	metadataAmiss
	// amiss: it is missing, stale, not ours, or somebody has edited its data.
	amiss
)

func (f finding) String() string {
	return [...]string{"right", "metadata amiss", "amiss"}[f]
}

// judge compares the metadata of an output, nil when there is none, with what it should be. checked is the
// version whose data was read and found right; empty when none was.
func judge(token *v1alpha1.GitHubUserToken, spec v1alpha1.Output, pair *rotation.Pair, current *metav1.ObjectMeta, checked string) finding {
	if current == nil || !metav1.IsControlledBy(current, token) {
		return amiss
	}
	defaults := format.DefaultsOf(pair)
	wanted := format.MetadataFor(spec, pair, defaults)
	if current.Annotations[v1alpha1.AnnotationSource] != wanted.Source() {
		return amiss
	}
	if checked != current.ResourceVersion && !managers.Vouch(current, format.Keys(spec, pair, defaults)) {
		return amiss
	}
	if labels, annotations := wanted.Difference(current.Labels, current.Annotations); len(labels) > 0 || len(annotations) > 0 {
		return metadataAmiss
	}
	return right
}
