package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WebLogin is the last login by the web flow that somebody has asked for, with the annotation web-login-requested. Whoever
// has asked knows it by the request ID. The operator redeems the code: whoever brings it back puts it into a Secret, see
// LoginCodeSecretName.
type WebLogin struct {
	// requestID is the request ID of the annotation's value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	RequestID string `json:"requestID,omitempty"`

	// attemptID names the attempt, while one waits. The code belongs into the Secret github-user-token-code-ATTEMPTID.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	AttemptID string `json:"attemptID,omitempty"`

	// authorizeURL is the page of GitHub to be opened in a browser, while the attempt waits. It sends the browser on to the
	// callback URL that was asked for, with the code and the state that this URL has.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	AuthorizeURL string `json:"authorizeURL,omitempty"`

	// expirationTime is when the attempt ends, ten minutes after it has begun. A code that comes later is not used.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// result is what came of it; empty while it waits: Succeeded, the pair is stored. Refused, no attempt was begun, as the
	// request is not one that is allowed. Expired, no code was redeemed in time. Rejected, GitHub refuses the code. Lost, nobody
	// knows what GitHub has made of the code, and it is not sent again. WrongUser, the account is not the one of spec.user.
	// Superseded, another login was first. After all but Succeeded, begin anew.
	// +optional
	Result WebLoginResult `json:"result,omitempty"`

	// message says what is waited for, or why it came to nothing and what to do.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
}

// WebLoginResult is what came of a login by the web flow.
//
// +kubebuilder:validation:Enum=Succeeded;Refused;Expired;Rejected;Lost;WrongUser;Superseded
type WebLoginResult string

const (
	// WebLoginSucceeded: the pair that the code brought is stored.
	WebLoginSucceeded WebLoginResult = "Succeeded"
	// WebLoginRefused: no attempt was begun: the request is malformed, its callback URL is not allowed, the spec has no
	// method WebFlow, or the App has no client secret.
	WebLoginRefused WebLoginResult = "Refused"
	// WebLoginExpired: no code was redeemed within ten minutes.
	WebLoginExpired WebLoginResult = "Expired"
	// WebLoginRejected: GitHub refuses the code, or will not give out a pair for it, or the pair was revoked at once.
	WebLoginRejected WebLoginResult = "Rejected"
	// WebLoginLost: the code was sent and GitHub's answer is not known, or half of it. It is never sent again.
	WebLoginLost WebLoginResult = "Lost"
	// WebLoginWrongUser: the code is of another account than spec.user, or it could not be found out of which.
	WebLoginWrongUser WebLoginResult = "WrongUser"
	// WebLoginSuperseded: another login has succeeded, or was begun, before the code was redeemed, or the request was honoured before.
	WebLoginSuperseded WebLoginResult = "Superseded"
)

// LoginCodeSecretName is the name of the Secret, in the namespace of the resource, that brings the code of an attempt back to
// the operator: with RoleLoginCode as its LabelRole, and under KeyCode the code as GitHub has sent it. Nothing else in
// it is looked at. The operator removes it. An owner reference to the resource, not as its controller, has it go with that.
func LoginCodeSecretName(attemptID string) string { return LoginCodeSecretPrefix + attemptID }
