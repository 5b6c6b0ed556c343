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
	Host AppHost `json:"host,omitempty"`

	// clientID is the App's client ID (Iv23li…), from its settings page. It is not the App ID.
	// +optional
	ClientID ClientID `json:"clientID,omitempty"`

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
	Name ObjectName `json:"name,omitempty"`
}

// ClientSecretReference points at the key of a Secret that holds the client secret of an App. The Secret is in the
// namespace of whoever refers to it; for a ClusterGitHubApp it is in the operator's own.
type ClientSecretReference struct {
	// name is the name of the Secret.
	// +required
	Name ObjectName `json:"name,omitempty"`

	// key is the key whose value is the client secret. White space around it is ignored.
	// +optional
	// +kubebuilder:default=client_secret
	Key SecretKey `json:"key,omitempty"`
}

// WebhookSecretReference points at the key of a Secret that holds the secret of an App's webhook. The Secret is in the
// namespace of whoever refers to it; for a ClusterGitHubApp it is in the operator's own.
type WebhookSecretReference struct {
	// name is the name of the Secret.
	// +required
	Name ObjectName `json:"name,omitempty"`

	// key is the key whose value is the webhook's secret. White space around it is ignored.
	// +optional
	// +kubebuilder:default=webhook_secret
	Key SecretKey `json:"key,omitempty"`
}
