package scope

import (
	"fmt"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/metapatch"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// maxAnnotations is how large the annotations of the pair Secret may be before an exchange, in bytes. Kubernetes
// takes 256 KiB, and what is written with a new pair must find room: it can be had only once.
const maxAnnotations = 224 << 10

// CheckRoom reports whether there is room for the state in the annotations of the pair Secret.
func CheckRoom(s *Scope) *problem.Problem {
	annotations := metapatch.Annotations(s.Token.Spec.Secret.Labels, s.Token.Spec.Secret.Annotations)
	if s.Pair != nil {
		annotations = s.Pair.Annotations // Those of the spec are on it, or cannot be.
	}
	size := metapatch.SizeOf(annotations)
	if size <= maxAnnotations {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonMetadataRefused, Stalled: true,
		Message: fmt.Sprintf("The annotations of Secret %q come to %d KiB, which leaves no room for those that are written with a new pair. Nothing is exchanged until some are removed.", s.Ref.Name, size>>10),
	}
}
