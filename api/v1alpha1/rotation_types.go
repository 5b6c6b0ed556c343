package v1alpha1

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RotationStrategy says how a new access token takes the place of the one before.
//
// +kubebuilder:validation:Enum=Replace;Alternate
type RotationStrategy string

const (
	// RotationReplace exchanges the one pair that there is. GitHub ends the access token before at that moment, so a workload that
	// holds it has a failed call until it reads the new one.
	RotationReplace RotationStrategy = "Replace"
	// RotationAlternate keeps two pairs, of two authorizations of the App by the same account, and exchanges the one whose token is not
	// published. The token that was published before works on for spec.rotation.overlap at least.
	RotationAlternate RotationStrategy = "Alternate"
)

// Rotation says how new access tokens take the place of old ones.
//
// +kubebuilder:validation:XValidation:rule="self.strategy == 'Alternate' || !has(self.overlap) && !has(self.alternateRefreshTokenRef)",message="overlap and alternateRefreshTokenRef belong to the strategy Alternate only"
type Rotation struct {
	// strategy is Replace or Alternate. Alternate needs a second login of the same account, for which the operator makes a second
	// GitHubUserToken beside this one, which has its name and -alternate behind that. Until then, and when one of the two ends, it is as
	// with Replace.
	// +required
	Strategy RotationStrategy `json:"strategy,omitempty"`

	// overlap is for how long an access token works at least after another one was published in its place, as a Go duration. At least
	// 1s, at most 1640h. By default a quarter of the access token's lifetime: 2h of GitHub's 8h. One above three eighths of the
	// lifetime cannot be kept: it is reported, and the default is used in its place. For the strategy Alternate only.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1640h')",message="must be a duration between 1s and 1640h, for example 90m or 2h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`

	// alternateRefreshTokenRef names the seed of the second login, as spec.refreshTokenRef names that of the first. Without it, a person logs in
	// by spec.login. For the strategy Alternate only.
	// +optional
	AlternateRefreshTokenRef *RefreshTokenReference `json:"alternateRefreshTokenRef,omitempty"`
}

// IsAlternating reports whether the spec asks for the strategy Alternate.
func (t *GitHubUserToken) IsAlternating() bool {
	return t.Spec.Rotation != nil && t.Spec.Rotation.Strategy == RotationAlternate
}

// PublishedSecretName is the name of the Secret that workloads read: that of the pair or, with the strategy Alternate, one with the access
// token of the pair that is published.
func (t *GitHubUserToken) PublishedSecretName() string {
	if t.Spec.Secret.Name != "" {
		return t.Spec.Secret.Name
	}
	return t.Name
}

const (
	alternateSuffix = "-alternate"
	primarySuffix   = "-primary"
)

// AlternateName is the name of the GitHubUserToken that the operator makes for the second authorization of one of a name.
func AlternateName(name string) string { return name + alternateSuffix }

// AlternateOf is the resource whose second authorization this one is, by name and UID, as the annotation alternate-of says; ok is false for any other.
func (t *GitHubUserToken) AlternateOf() (name, uid string, ok bool) {
	uid = t.Annotations[AnnotationAlternateOf]
	name, ok = strings.CutSuffix(t.Name, alternateSuffix)
	return name, uid, ok && uid != "" && name != ""
}
