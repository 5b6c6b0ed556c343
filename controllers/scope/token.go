package scope

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// maxRequest is how long a value of the annotation refresh-requested-at may be and be remembered as it is. An
// annotation may have 256 KiB, and what is remembered must find room in the pair Secret after an exchange.
const maxRequest = 64

// NameOf is the name of a resource.
func NameOf(token *v1alpha1.GitHubUserToken) types.NamespacedName {
	return types.NamespacedName{Namespace: token.Namespace, Name: token.Name}
}

// OwnerOf is the resource as pairs name it.
func OwnerOf(token *v1alpha1.GitHubUserToken) rotation.Owner {
	return rotation.Owner{Namespace: token.Namespace, Name: token.Name, UID: string(token.UID)}
}

// IsReleased reports whether a resource is being deleted and bears no finalizer of ours, so that others hold it if anybody does.
func IsReleased(token *v1alpha1.GitHubUserToken) bool {
	return !token.DeletionTimestamp.IsZero() && !slices.Contains(token.Finalizers, v1alpha1.Finalizer)
}

// PairRefOf is where the spec wants the pair.
func PairRefOf(token *v1alpha1.GitHubUserToken) rotation.Ref {
	return rotation.Ref{Namespace: token.Namespace, Name: token.PairSecretName()}
}

// PolicyOf is what the resource says about when to exchange. A hold-until that is no time is as good as none;
// status tells of it.
func PolicyOf(token *v1alpha1.GitHubUserToken) rotation.Policy {
	var policy rotation.Policy
	if token.Spec.RefreshBefore != nil {
		policy.RefreshBefore = token.Spec.RefreshBefore.Duration
	}
	if text := token.Annotations[v1alpha1.AnnotationHoldUntil]; text != "" {
		if hold, err := time.Parse(time.RFC3339, text); err == nil {
			policy.HoldUntil = hold
		}
	}
	return policy
}

// PinOf is the account that a new login must belong to; nil when any will do.
func PinOf(token *v1alpha1.GitHubUserToken) *rotation.UserPin {
	if token.Spec.User == nil {
		return nil
	}
	return &rotation.UserPin{Login: token.Spec.User.Login, ID: token.Spec.User.ID}
}

// RequestOf names the request for an exchange that somebody has made by annotation; empty when there is none.
func RequestOf(token *v1alpha1.GitHubUserToken) string {
	value := token.Annotations[v1alpha1.AnnotationRefreshRequestedAt]
	if len(value) <= maxRequest {
		return value
	}
	hash := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(hash[:16])
}

// IsVouched reports whether a person has given their word for a restored pair.
func IsVouched(token *v1alpha1.GitHubUserToken) bool {
	word := token.Annotations[v1alpha1.AnnotationAdopt]
	return word == "true" || (word != "" && word == string(token.UID))
}
