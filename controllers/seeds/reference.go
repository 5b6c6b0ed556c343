package seeds

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// reference is one key of one Secret.
type reference struct {
	secret types.NamespacedName
	key    string
}

// seedOf is where the spec says that the seed is. The spec must have a refreshTokenRef.
func seedOf(token *v1alpha1.GitHubUserToken) reference {
	ref := token.Spec.RefreshTokenRef
	return reference{types.NamespacedName{Namespace: token.Namespace, Name: ref.Name}, ref.Key}
}

// at is the reference with a version of the Secret, as it is stored with the pair; empty for no version.
func (r reference) at(version string) string {
	if version == "" {
		return ""
	}
	return r.prefix() + version
}

// isIn reports whether what at returned is of this reference, whatever the version.
func (r reference) isIn(stored string) bool { return strings.HasPrefix(stored, r.prefix()) }

func (r reference) prefix() string { return r.secret.Name + "/" + r.key + "@" }
