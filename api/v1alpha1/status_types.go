package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GitHubUserTokenStatus is a report. No token and no client secret ever stands in it.
type GitHubUserTokenStatus struct {
	// conditions are Ready, Authorized, and while they apply Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// accessTokenExpirationTime is when the access token in the Secret expires. Absent when it never does.
	// +optional
	AccessTokenExpirationTime *metav1.Time `json:"accessTokenExpirationTime,omitempty"`

	// refreshTokenExpirationTime is when the refresh token in the Secret expires. Every refresh brings a new
	// one.
	// +optional
	RefreshTokenExpirationTime *metav1.Time `json:"refreshTokenExpirationTime,omitempty"`

	// lastRefreshTime is when the pair in the Secret was received.
	// +optional
	LastRefreshTime *metav1.Time `json:"lastRefreshTime,omitempty"`

	// nextRefreshTime is when the next exchange is due, or the next try of a failing one.
	// +optional
	NextRefreshTime *metav1.Time `json:"nextRefreshTime,omitempty"`

	// lastHandoffTime is when the token was received that the workloads of spec.handoff.restart were last
	// restarted for: the lastRefreshTime, to the microsecond, once the handoff is complete.
	// +optional
	LastHandoffTime *metav1.MicroTime `json:"lastHandoffTime,omitempty"`

	// refreshCount is how many pairs were stored since the login.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RefreshCount int64 `json:"refreshCount,omitempty"`

	// secretName is the name of the Secret that holds the pair.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// user is the account that the token belongs to, once it is known.
	// +optional
	User *User `json:"user,omitempty"`

	// login is the login that the token goes back to, once it is known whose it is.
	// +optional
	Login *LoginReport `json:"login,omitempty"`

	// authorization is what a person has to do, while a login is waited for: the code of the device flow to enter at GitHub, the
	// link of the login page to open, or either of the two.
	// +optional
	Authorization *Authorization `json:"authorization,omitempty"`

	// webLogin is the login by the web flow that was asked for last, by the annotation githubusertoken.dev/web-login-requested.
	// +optional
	WebLogin *WebLogin `json:"webLogin,omitempty"`
}

// User is a GitHub account.
type User struct {
	// login is the account's login.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Login string `json:"login,omitempty"`

	// id is the account's numeric id.
	// +required
	// +kubebuilder:validation:Minimum=1
	ID int64 `json:"id,omitempty"`
}

// LoginReport says which login a token goes back to. It stays the same until somebody logs in anew.
type LoginReport struct {
	// account is the host and the account's numeric id there, as HOST/ID.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=288
	Account string `json:"account,omitempty"`

	// id names the login. It tells nothing of its tokens.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id,omitempty"`

	// time is when the person logged in. Absent when that is not known.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`

	// revocation is how far the revocation of this login has come that was asked for by the annotation
	// githubusertoken.dev/revocation-requested. Absent when nobody has asked for it. Asked: the operator has seen the request, and something
	// has to end first; its tokens are in use. Revoking: it is written down, no token of the login is refreshed any more, and GitHub is being asked; the
	// access token may work until it has answered. Revoked: GitHub has ended the tokens. GivenUp: GitHub could not be brought to end
	// them, and the access token may work until it expires; an event RevocationFailed tells why.
	// +optional
	Revocation LoginRevocation `json:"revocation,omitempty"`
}

// LoginRevocation is how far the revocation of a login has come.
//
// +kubebuilder:validation:Enum=Asked;Revoking;Revoked;GivenUp
type LoginRevocation string

const (
	// LoginRevocationAsked says that it was asked for, and is not written down yet.
	LoginRevocationAsked LoginRevocation = "Asked"
	// LoginRevocationRevoking says that it is written down, and GitHub has not ended the tokens yet.
	LoginRevocationRevoking LoginRevocation = "Revoking"
	// LoginRevocationRevoked says that GitHub has ended the tokens.
	LoginRevocationRevoked LoginRevocation = "Revoked"
	// LoginRevocationGivenUp says that GitHub could not be brought to end them.
	LoginRevocationGivenUp LoginRevocation = "GivenUp"
)

// Authorization is what a person can do to log in: enter a code at GitHub, or open a link of the login page. What is not offered
// is absent.
//
// +kubebuilder:validation:MinProperties=1
type Authorization struct {
	// userCode is the code to enter.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	UserCode string `json:"userCode,omitempty"`

	// verificationURI is the page where it is entered.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	VerificationURI string `json:"verificationURI,omitempty"`

	// expirationTime is when the code expires. A fresh one follows, for a bounded time.
	// +optional
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// loginURL is a link of the operator's login page, for the account of spec.user. It is good for one login: whoever opens
	// it is shown what they are asked for, and nothing has happened before they agree. Another one follows when it was used,
	// or has expired.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	LoginURL string `json:"loginURL,omitempty"`

	// loginURLExpirationTime is when the link expires.
	// +optional
	LoginURLExpirationTime *metav1.Time `json:"loginURLExpirationTime,omitempty"`
}
