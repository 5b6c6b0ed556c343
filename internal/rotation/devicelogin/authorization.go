// Package devicelogin has device authorizations as the pair Secret's state tells of them: without the device code.
package devicelogin

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Authorization is the public half of a device authorization. The device code itself is in a Secret of its own,
// which DeviceCode names; see rotation.Owner.CodeRef.
type Authorization struct {
	UserCode        string                 `json:"userCode"`
	VerificationURI string                 `json:"verificationURI"`
	ExpiresAt       time.Time              `json:"expiresAt"`
	Interval        time.Duration          `json:"interval"`
	DeviceCode      credential.Fingerprint `json:"deviceCode"`
	// OfferedAt is when the code was asked for.
	OfferedAt time.Time `json:"offeredAt,omitzero"`
	// App is the App (host/clientID) that the code is for.
	App string `json:"app,omitempty"`
	// For names what the login is needed for, and Asked is the value of the annotation refresh-requested-at
	// when the first code was offered. Codes that agree in both are one series, which ends some time.
	For   string `json:"for,omitempty"`
	Asked string `json:"asked,omitempty"`
	// Since is when the first code of the series was offered, and Codes counts them.
	Since time.Time `json:"since,omitzero"`
	Codes int       `json:"codes,omitempty"`
	// Ended says why no further code is offered in this series: a reason of Authorized=False.
	Ended string `json:"ended,omitempty"`
}

// documentedSlowDown is what GitHub adds to the interval when it asks to poll more slowly without saying how.
const documentedSlowDown = 5 * time.Second

// SlowDown has GitHub asked at longer intervals: at the one that it asks for or, where it names none, at a longer one than before.
func (a *Authorization) SlowDown(to time.Duration) {
	if to <= 0 {
		to = a.Interval + documentedSlowDown
	}
	a.Interval = to
}
