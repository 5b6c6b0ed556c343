package explain

import (
	"slices"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// standing are the reasons for which tries fail until somebody mends what is wrong, and use up what others wait for.
var standing = []string{v1alpha1.ReasonHostUnreachable, v1alpha1.ReasonCertificateNotTrusted, v1alpha1.ReasonUnreadableReply}

// Waiting is what is told of a resource that waits: both, where its last try has failed of what others fail of as well.
func Waiting(s *scope.Scope, p problem.Problem) *problem.Problem {
	if failed := s.Failure; failed != nil && slices.Contains(standing, failed.Reason) {
		p.Reason, p.Message = failed.Reason, failed.Message+" "+p.Message
	}
	return &p
}
