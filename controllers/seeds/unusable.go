package seeds

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// UnusablePrefix begins what the condition Authorized says of a seed that cannot be used while the stored
// chain works; the problem's message follows it. Look recognizes the sentence, so that nothing else may stand
// in its place.
const UnusablePrefix = "The seed is unusable, which matters only when a new login is needed: "

// tellsOfSeed reports whether the status tells of a seed that cannot be used, or holds the chain's own token.
func tellsOfSeed(token *v1alpha1.GitHubUserToken) bool {
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	return authorized != nil && (strings.Contains(authorized.Message, UnusablePrefix) || strings.Contains(authorized.Message, FedBack))
}
