package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GitHubApp is a GitHub App for the GitHubUserTokens of its namespace, which name it by spec.app.ref.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=gha,categories=github,scope=Namespaced
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Credentials",type=string,JSONPath=`.status.conditions[?(@.type=="CredentialsValid")].status`
// +kubebuilder:printcolumn:name="Tokens",type=integer,JSONPath=`.status.tokens`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.host`,priority=1
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.spec.clientID`,priority=1
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.accounts`,priority=1
// +kubebuilder:printcolumn:name="Last used",type=date,JSONPath=`.status.lastUseTime`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.clientID`
// +kubebuilder:selectablefield:JSONPath=`.spec.host`
type GitHubApp struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the ordinary metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the App, and what may be done with it.
	// +required
	Spec GitHubAppSpec `json:"spec,omitzero"`

	// status is what the operator last saw. It is a report: everything in it can be computed again.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status GitHubAppStatus `json:"status,omitzero"`
}

// GitHubAppList is a list of GitHubApp.
//
// +kubebuilder:object:root=true
type GitHubAppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GitHubApp `json:"items"`
}

// GitHubAppSpec is a GitHub App, and what may be done with it.
type GitHubAppSpec struct {
	// host is github.com, SUBDOMAIN.ghe.com, or a GitHub Enterprise Server as HOST or HOST:PORT, without
	// https:// (HOST/api/v3 is understood). It must be one of the operator's --allowed-hosts.
	// +optional
	// +kubebuilder:default=github.com
	Host AppHost `json:"host,omitempty"`

	// clientID is the App's client ID (Iv23li…), from its settings page. It is not the App ID. Refresh tokens belong to
	// one App: after a change here all who use it need a new login.
	// +required
	ClientID ClientID `json:"clientID,omitempty"`

	// clientSecretRef names the App's client secret. Tokens that came from the device flow need none.
	// +optional
	ClientSecretRef *ClientSecretReference `json:"clientSecretRef,omitempty"`

	// webhookSecretRef names the secret of the App's webhook, for GitHub's notices that a person has revoked the App. The
	// operator's receiver takes them at /apps/NAMESPACE/NAME for a GitHubApp, and at /clusterapps/NAME for a ClusterGitHubApp.
	// +optional
	WebhookSecretRef *WebhookSecretReference `json:"webhookSecretRef,omitempty"`

	// tokenRequestsPerHour is how many token requests are made for the App in any hour at most, by all who use its host
	// and client ID together. By default the operator's --token-requests-per-hour, which it never exceeds. Where several Apps
	// have the same host and client ID the smallest number counts, and that of a ClusterGitHubApp goes before that of any
	// GitHubApp. That of a GitHubApp counts only while no other namespace uses the host and client ID, and no ClusterGitHubApp
	// has them: it would be that of others as well.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	TokenRequestsPerHour int32 `json:"tokenRequestsPerHour,omitempty"`

	// policy is what GitHubUserTokens of the App may ask for. By default everything.
	// +optional
	Policy AppPolicy `json:"policy,omitzero"`
}

// UserRequirement says whether GitHubUserTokens must name the account.
//
// +kubebuilder:validation:Enum=Optional;Required
type UserRequirement string

const (
	// UserOptional leaves it to each GitHubUserToken.
	UserOptional UserRequirement = "Optional"
	// UserRequired takes no GitHubUserToken without spec.user.
	UserRequired UserRequirement = "Required"
)

// Permission says whether something may be done.
//
// +kubebuilder:validation:Enum=Allowed;Forbidden
type Permission string

const (
	// PermissionAllowed allows it.
	PermissionAllowed Permission = "Allowed"
	// PermissionForbidden forbids it.
	PermissionForbidden Permission = "Forbidden"
)

// AppPolicy is what the GitHubUserTokens of an App may ask for. One that asks for more exchanges nothing until it does not,
// or until the policy allows it, and its outputs that are forbidden are removed. Nothing is revoked.
type AppPolicy struct {
	// user says whether GitHubUserTokens must name the account by spec.user: Optional or Required. By default Optional.
	// Whoever sees the code of a device flow can lend the cluster their own account, so Required is the safe choice
	// where the device flow is enabled.
	// +optional
	// +kubebuilder:default=Optional
	User UserRequirement `json:"user,omitempty"`

	// includeRefreshToken says whether outputs may have the refresh token: Allowed or Forbidden. By default Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	IncludeRefreshToken Permission `json:"includeRefreshToken,omitempty"`

	// tokenServer says whether the token server may give out the access tokens of GitHubUserTokens of the App, to workloads that RBAC lets
	// read them: Allowed or Forbidden. By default Allowed. Nothing else depends on it.
	// +optional
	// +kubebuilder:default=Allowed
	TokenServer Permission `json:"tokenServer,omitempty"`

	// deletionPolicies are those that GitHubUserTokens may have. By default all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	DeletionPolicies []DeletionPolicy `json:"deletionPolicies,omitempty"`

	// outputFormats are those that outputs may have. By default all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	OutputFormats []OutputFormat `json:"outputFormats,omitempty"`

	// outputHosts are the hosts that outputs may be for: HOST or HOST:PORT of their host, registry or URL, and of the registry
	// of the App's host where a DockerConfigJSON names none (ghcr.io of github.com). By default all. The App's own host is
	// always allowed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	OutputHosts []string `json:"outputHosts,omitempty"`
}

// GitHubAppStatus is a report about an App. No client secret ever stands in it, nor the name of a namespace.
type GitHubAppStatus struct {
	// conditions are Ready, CredentialsValid where there is a client secret, and Stalled or Reconciling while Ready is False.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// tokens is how many GitHubUserTokens refer to this App and may use it, whether they have a token yet or not. One that is
	// being deleted counts until its deletionPolicy is carried out.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Tokens int32 `json:"tokens,omitempty"`

	// accounts is how many accounts these belong to, as far as that is known.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Accounts int32 `json:"accounts,omitempty"`

	// lastUseTime is when the youngest of their pairs was received.
	// +optional
	LastUseTime *metav1.Time `json:"lastUseTime,omitempty"`
}

// AppSpec is the App, as ClusterGitHubApp has it too.
func (a *GitHubApp) AppSpec() *GitHubAppSpec { return &a.Spec }

// AppStatus is the status, as ClusterGitHubApp has it too.
func (a *GitHubApp) AppStatus() *GitHubAppStatus { return &a.Status }
