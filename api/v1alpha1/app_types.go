package v1alpha1

// DefaultHost is the host of an App whose host is left out.
const DefaultHost = "github.com"

// Kinds that spec.app.ref may name.
const (
	// KindGitHubApp is an App of the resource's own namespace.
	KindGitHubApp = "GitHubApp"
	// KindClusterGitHubApp is an App that an administrator offers to namespaces.
	KindClusterGitHubApp = "ClusterGitHubApp"
)

// App names a GitHub App: by a GitHubApp or ClusterGitHubApp (ref), or by its client ID and the host it lives on.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.ref) != has(self.clientID)",message="name the App, by clientID or by ref (a GitHubApp or ClusterGitHubApp), and not by both"
// +kubebuilder:validation:XValidation:rule="!has(self.ref) || !has(self.host) && !has(self.clientSecretRef)",message="with ref the host and the client secret are those of the App that it names: leave out host and clientSecretRef"
type App struct {
	// ref names a GitHubApp of the same namespace, or a ClusterGitHubApp that allows this namespace.
	// +optional
	Ref *AppReference `json:"ref,omitempty"`

	// host is github.com, SUBDOMAIN.ghe.com, or a GitHub Enterprise Server as HOST or HOST:PORT, without
	// https:// (HOST/api/v3 is understood). By default github.com. It must be one of the operator's --allowed-hosts.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/api/v3)?$')",message="must be a lower-case host name such as github.com, octocorp.ghe.com or github.example.com:8443, without https:// and without a path"
	Host string `json:"host,omitempty"`

	// clientID is the App's client ID (Iv23li…), from its settings page. It is not the App ID.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$')",message="must be the client ID from the App's settings page, for example Iv23liEXAMPLE: letters, digits, dots, dashes and underscores"
	ClientID string `json:"clientID,omitempty"`

	// clientSecretRef names the App's client secret. Tokens that came from the device flow need none.
	// +optional
	ClientSecretRef *ClientSecretReference `json:"clientSecretRef,omitempty"`
}

// AppReference names a GitHubApp or ClusterGitHubApp.
type AppReference struct {
	// kind is GitHubApp, for one of the same namespace, or ClusterGitHubApp.
	// +optional
	// +kubebuilder:default=GitHubApp
	// +kubebuilder:validation:Enum=GitHubApp;ClusterGitHubApp
	Kind string `json:"kind,omitempty"`

	// name is its name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a GitHubApp or ClusterGitHubApp: lower-case letters, digits and dashes, in parts that are joined by dots and begin and end with a letter or digit"
	Name string `json:"name"`
}

// ClientSecretReference points at the key of a Secret that holds the client secret of an App. The Secret is in the
// namespace of whoever refers to it; for a ClusterGitHubApp it is in the operator's own.
type ClientSecretReference struct {
	// name is the name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret: lower-case letters, digits and dashes, in parts that are joined by dots and begin and end with a letter or digit"
	Name string `json:"name"`

	// key is the key whose value is the client secret. White space around it is ignored.
	// +optional
	// +kubebuilder:default=client_secret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",message="must be a key of a Secret: letters, digits, dashes, underscores and dots, and not . or .. or what begins with .."
	Key string `json:"key,omitempty"`
}

// WebhookSecretReference points at the key of a Secret that holds the secret of an App's webhook. The Secret is in the
// namespace of whoever refers to it; for a ClusterGitHubApp it is in the operator's own.
type WebhookSecretReference struct {
	// name is the name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret: lower-case letters, digits and dashes, in parts that are joined by dots and begin and end with a letter or digit"
	Name string `json:"name"`

	// key is the key whose value is the webhook's secret. White space around it is ignored.
	// +optional
	// +kubebuilder:default=webhook_secret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')",message="must be a key of a Secret: letters, digits, dashes, underscores and dots, and not . or .. or what begins with .."
	Key string `json:"key,omitempty"`
}
