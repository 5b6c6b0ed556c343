package controllers

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// maxRequest is how long a value of the annotation refresh-requested-at may be and be remembered as it is. An annotation
// may have 256 KiB, and what is remembered must find room in the pair Secret after an exchange.
const maxRequest = 64

// requestOf names the request for an exchange that somebody has made by annotation; empty when there is none.
func requestOf(token *v1alpha1.GitHubUserToken) string {
	value := token.Annotations[v1alpha1.AnnotationRefreshRequestedAt]
	if len(value) <= maxRequest {
		return value
	}
	hash := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(hash[:16])
}
