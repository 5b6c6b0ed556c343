package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterGitHubApp is a GitHub App that an administrator offers to namespaces, without showing them its client secret. Its
// policy binds every GitHubUserToken of its host and client ID.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=cgha,categories=github,scope=Cluster
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Credentials",type=string,JSONPath=`.status.conditions[?(@.type=="CredentialsValid")].status`
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.spec.allowedNamespaces.from`
// +kubebuilder:printcolumn:name="Tokens",type=integer,JSONPath=`.status.tokens`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.host`,priority=1
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.spec.clientID`,priority=1
// +kubebuilder:printcolumn:name="Accounts",type=integer,JSONPath=`.status.accounts`,priority=1
// +kubebuilder:printcolumn:name="Last used",type=date,JSONPath=`.status.lastUseTime`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.clientID`
// +kubebuilder:selectablefield:JSONPath=`.spec.host`
type ClusterGitHubApp struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the ordinary metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the App, who may use it, and what may be done with it.
	// +required
	Spec ClusterGitHubAppSpec `json:"spec,omitzero"`

	// status is what the operator last saw. It is a report: everything in it can be computed again.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status GitHubAppStatus `json:"status,omitzero"`
}

// ClusterGitHubAppList is a list of ClusterGitHubApp.
//
// +kubebuilder:object:root=true
type ClusterGitHubAppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterGitHubApp `json:"items"`
}

// ClusterGitHubAppSpec is a GitHub App, who may use it, and what may be done with it.
type ClusterGitHubAppSpec struct {
	// The App, as in a GitHubApp. Its client secret is in the operator's own namespace.
	GitHubAppSpec `json:",inline"`

	// allowedNamespaces are those whose GitHubUserTokens may use the App. By default none.
	// +optional
	// +kubebuilder:default:={"from":"None"}
	AllowedNamespaces AllowedNamespaces `json:"allowedNamespaces,omitzero"`

	// loginPage says what may be done with the App by the operator's login page. By default nothing: its links are for
	// whoever may use them, and an App of many teams is known to many people.
	// +optional
	LoginPage LoginPage `json:"loginPage,omitzero"`

	// inlineUse says whether allowedNamespaces, policy and loginPage also bind those who name the App by its host and client ID,
	// which are no secrets, or by a GitHubApp of their own: Restricted or Unrestricted. By default Restricted.
	// Unrestricted is for the time in which namespaces that have their own copy of the client secret move over.
	// +optional
	// +kubebuilder:default=Restricted
	InlineUse InlineUse `json:"inlineUse,omitempty"`
}

// LoginPage is what may be done with an App by the operator's login page.
type LoginPage struct {
	// allowedAccounts are the accounts that namespaces may ask to log in by a link: those of spec.user, which has to be set
	// for that. By default none. Where several entries select a namespace it may ask for the accounts of each.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	AllowedAccounts []AllowedAccounts `json:"allowedAccounts,omitempty"`
}

// AllowedAccounts are accounts that namespaces may ask to log in.
//
// +kubebuilder:validation:XValidation:rule="has(self.logins) || has(self.ids)",message="say which accounts, by logins or by ids"
type AllowedAccounts struct {
	// namespaces are those that may ask for them, of those that may use the App: {from: All} is each of these.
	// +required
	Namespaces AllowedNamespaces `json:"namespaces,omitzero"`

	// logins are those that spec.user.login may name. Upper and lower case are the same. A * at the beginning, at the end, or
	// alone stands for any characters: *_octocorp are the managed users of an enterprise, and * is every account.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Logins []LoginPattern `json:"logins,omitempty"`

	// ids are those that spec.user.id may name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=1
	IDs []int64 `json:"ids,omitempty"`
}

// LoginPattern is the login of an account, or with a * of several.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:XValidation:rule="self == '*' || self.matches('^[*]?[A-Za-z0-9_-]+[*]?$')",message="must be a GitHub login, with a * at most at its beginning and at its end: octocat, *_octocorp, or * for all"
type LoginPattern = string

// InlineUse says whether a ClusterGitHubApp binds those who do not refer to it.
//
// +kubebuilder:validation:Enum=Restricted;Unrestricted
type InlineUse string

const (
	// InlineRestricted binds them.
	InlineRestricted InlineUse = "Restricted"
	// InlineUnrestricted leaves them alone.
	InlineUnrestricted InlineUse = "Unrestricted"
)

// NamespacesFrom says which namespaces are meant, in the Gateway API's words.
//
// +kubebuilder:validation:Enum=None;Selector;All
type NamespacesFrom string

const (
	// NamespacesNone is none.
	NamespacesNone NamespacesFrom = "None"
	// NamespacesSelector is those whose labels match the selector.
	NamespacesSelector NamespacesFrom = "Selector"
	// NamespacesAll is all.
	NamespacesAll NamespacesFrom = "All"
)

// AllowedNamespaces are namespaces that may use something.
//
// +kubebuilder:validation:XValidation:rule="has(self.selector) == (self.from == 'Selector')",message="selector belongs to from: Selector, and that needs one"
type AllowedNamespaces struct {
	// from is None, Selector or All. By default None.
	// +optional
	// +kubebuilder:default=None
	From NamespacesFrom `json:"from,omitempty"`

	// selector matches the labels of the namespaces that are meant. Every namespace has the label
	// kubernetes.io/metadata.name with its name. An empty selector matches all.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// AppSpec is the App, as GitHubApp has it too.
func (a *ClusterGitHubApp) AppSpec() *GitHubAppSpec { return &a.Spec.GitHubAppSpec }

// AppStatus is the status, as GitHubApp has it too.
func (a *ClusterGitHubApp) AppStatus() *GitHubAppStatus { return &a.Status }
