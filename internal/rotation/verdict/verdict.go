package verdict

import (
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Verdict says that a token is of no more use.
type Verdict struct {
	// Reason is a reason of Authorized=False.
	Reason string `json:"reason"`
	// Fingerprint names the token.
	Fingerprint credential.Fingerprint `json:"fingerprint,omitempty"`
	// Time is when it was found out.
	Time time.Time `json:"time"`
	// AgainAt is when the token is presented once more, since GitHub is known to refuse a good one now and then; zero when
	// it must not be, or was: whoever presents it takes this away with the fence.
	AgainAt time.Time `json:"againAt,omitzero"`
	// Asked is the value of the annotation refresh-requested-at at the refusal. Another one asks for that at once.
	Asked string `json:"asked,omitempty"`
}

// reasons are those that a Verdict may have.
var reasons = []string{
	v1alpha1.ReasonRefreshTokenMissing, v1alpha1.ReasonRefreshTokenRejected, v1alpha1.ReasonRefreshTokenExpired, v1alpha1.ReasonReplyLost,
	v1alpha1.ReasonRevoked, v1alpha1.ReasonRevokedOnRequest, v1alpha1.ReasonWrongUser, v1alpha1.ReasonUserUnknown,
	v1alpha1.ReasonRefreshTokenMalformed, v1alpha1.ReasonOutcomeUnknown,
}

// IsKnown reports whether a Verdict may have a reason.
func IsKnown(reason string) bool { return slices.Contains(reasons, reason) }
