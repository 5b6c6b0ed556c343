package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GitHubUserTokenStatus is a report. No token and no client secret ever stands in it.
type GitHubUserTokenStatus struct {
	// The generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Ready, Authorized, and while they apply Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// When the access token in the Secret expires. Absent when it never does.
	// +optional
	AccessTokenExpirationTime *metav1.Time `json:"accessTokenExpirationTime,omitempty"`

	// When the refresh token in the Secret expires. Every refresh brings a new one.
	// +optional
	RefreshTokenExpirationTime *metav1.Time `json:"refreshTokenExpirationTime,omitempty"`

	// When the pair in the Secret was received.
	// +optional
	LastRefreshTime *metav1.Time `json:"lastRefreshTime,omitempty"`

	// When the next exchange is due, or the next try of a failing one.
	// +optional
	NextRefreshTime *metav1.Time `json:"nextRefreshTime,omitempty"`

	// When the token was received that the workloads of spec.handoff.restart were last restarted for: the
	// lastRefreshTime, to the microsecond, once the handoff is complete.
	// +optional
	LastHandoffTime *metav1.MicroTime `json:"lastHandoffTime,omitempty"`

	// How many pairs were stored since the login.
	// +optional
	RefreshCount int64 `json:"refreshCount,omitempty"`

	// The Secret that holds the pair.
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// The account that the token belongs to, once it is known.
	// +optional
	User *User `json:"user,omitempty"`

	// What a person has to do at GitHub, while the device flow waits for it.
	// +optional
	Authorization *Authorization `json:"authorization,omitempty"`
}

// User is a GitHub account.
type User struct {
	// The account's login.
	// +required
	Login string `json:"login"`

	// The account's numeric id.
	// +required
	ID int64 `json:"id"`
}

// Authorization is a device authorization that waits for a person.
type Authorization struct {
	// The code to enter.
	// +required
	UserCode string `json:"userCode"`

	// The page where it is entered.
	// +required
	VerificationURI string `json:"verificationURI"`

	// When the code expires. A fresh one follows, for a bounded time.
	// +required
	ExpirationTime metav1.Time `json:"expirationTime"`
}
