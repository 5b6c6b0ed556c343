package scopedtokens

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// CountIn is how many scoped tokens an output holds, in use or to be revoked, as its annotations tell.
func CountIn(annotations map[string]string) int {
	l, err := parseLedger(annotations[v1alpha1.AnnotationScopedTokens])
	if err != nil {
		return 0
	}
	return len(l.entries())
}

// Held is the token that an output holds for its readers.
type Held struct {
	Token credential.AccessToken
	// Parent is the user's token of which it was made, and App the App that both are of.
	Parent credential.Fingerprint
	App    string
	// ExpiresAt is when it expires by itself; zero where GitHub does not say so.
	ExpiresAt time.Time
}

// HeldBy is what a Secret holds as an output of a resource; false where it is none of its own, or has no token of the scope that the spec asks for.
func HeldBy(token *v1alpha1.GitHubUserToken, spec *v1alpha1.Output, secret *corev1.Secret) (Held, bool) {
	meta := &secret.ObjectMeta
	if spec.Scope == nil || !meta.DeletionTimestamp.IsZero() || meta.Labels[v1alpha1.LabelRole] != v1alpha1.RoleOutput || !metav1.IsControlledBy(meta, token) || !outputs.IsOutputOf(token, meta) {
		return Held{}, false
	}
	l, err := parseLedger(meta.Annotations[v1alpha1.AnnotationScopedTokens])
	if err != nil || l.Current == nil || l.Current.Scope != nameOf(spec.Scope) {
		return Held{}, false
	}
	found, has := parseTokens(secret.Data[v1alpha1.KeyScopedTokens])[l.Current.Token]
	return Held{Token: found, Parent: l.Current.Parent, App: l.Current.App, ExpiresAt: l.Current.ExpiresAt}, has
}
