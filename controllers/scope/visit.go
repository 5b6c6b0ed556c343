package scope

import (
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// IsVisit reports whether a resource is a visit of the login page: somebody proves by it whose account is theirs. The operator's own namespace is
// where the page makes them, and nobody else makes anything there but those who administer it. Empty is no namespace.
func IsVisit(token *v1alpha1.GitHubUserToken, own string) bool {
	return own != "" && token.Namespace == own && strings.HasPrefix(token.Name, v1alpha1.VisitPrefix)
}
