package v1alpha1

// OutputFormat is the shape of a derived Secret.
//
// +kubebuilder:validation:Enum=Opaque;BasicAuth;DockerConfigJSON;GitCredentials;Netrc;GitHubCLI;Header
type OutputFormat string

const (
	// OutputFormatOpaque holds the access token under one key, access_token by default.
	OutputFormatOpaque OutputFormat = "Opaque"
	// OutputFormatBasicAuth is a kubernetes.io/basic-auth Secret: username and password. Flux, Argo CD and
	// Tekton read it.
	OutputFormatBasicAuth OutputFormat = "BasicAuth"
	// OutputFormatDockerConfigJSON is a kubernetes.io/dockerconfigjson Secret, for imagePullSecrets.
	OutputFormatDockerConfigJSON OutputFormat = "DockerConfigJSON"
	// OutputFormatGitCredentials is a file for git's "store" credential helper.
	OutputFormatGitCredentials OutputFormat = "GitCredentials"
	// OutputFormatNetrc is a .netrc file, for curl and older tools.
	OutputFormatNetrc OutputFormat = "Netrc"
	// OutputFormatGitHubCLI is a hosts.yml file, as the gh command keeps it.
	OutputFormatGitHubCLI OutputFormat = "GitHubCLI"
	// OutputFormatHeader holds the whole value of a header, "Bearer " and the token by default. Envoy Gateway's credential
	// injection reads it.
	OutputFormatHeader OutputFormat = "Header"
)

// Output is a Secret in the resource's namespace that is derived from the pair and follows it. It never
// holds the refresh token, unless includeRefreshToken asks for it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.registry) || self.format == 'DockerConfigJSON'",message="registry belongs to the format DockerConfigJSON only"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || self.format == 'BasicAuth'",message="url belongs to the format BasicAuth only"
// +kubebuilder:validation:XValidation:rule="!has(self.includeRefreshToken) || !self.includeRefreshToken || self.format == 'Opaque'",message="includeRefreshToken belongs to the format Opaque only"
// +kubebuilder:validation:XValidation:rule="!has(self.key) || !(self.format in ['BasicAuth', 'DockerConfigJSON'])",message="the keys of BasicAuth and DockerConfigJSON are fixed by Kubernetes: leave key out"
// +kubebuilder:validation:XValidation:rule="!has(self.username) || self.format != 'Opaque'",message="the format Opaque has no username"
// +kubebuilder:validation:XValidation:rule="!has(self.host) || !(self.format in ['Opaque', 'DockerConfigJSON', 'Header'])",message="host belongs to the formats BasicAuth, GitCredentials, Netrc and GitHubCLI only"
// +kubebuilder:validation:XValidation:rule="!has(self.prefix) || self.format == 'Header'",message="prefix belongs to the format Header only"
// +kubebuilder:validation:XValidation:rule="!has(self.username) || self.format != 'Header' || has(self.prefix) && self.prefix.matches('(?i)^(.* )?basic$')",message="the format Header has a username only where prefix is Basic"
// +kubebuilder:validation:XValidation:rule="!has(self.host) || !has(self.url)",message="host has no effect beside url: leave one of them out"
// +kubebuilder:validation:XValidation:rule="!has(self.key) || self.format != 'Opaque' || !(self.key == 'expires_at' || self.key == 'refresh_token' && has(self.includeRefreshToken) && self.includeRefreshToken)",message="the key is taken by another value of this output (expires_at, or refresh_token with includeRefreshToken): choose another key"
// +kubebuilder:validation:XValidation:rule="!has(self.type) || !self.type.startsWith('kubernetes.io/') && !self.type.startsWith('bootstrap.kubernetes.io/') || self.type == 'kubernetes.io/basic-auth' && (self.format == 'BasicAuth' || has(self.key) && self.key == 'password') || self.type == 'kubernetes.io/dockerconfigjson' && self.format == 'DockerConfigJSON'",message="a type that begins with kubernetes.io/ must be the one that belongs to the format: leave type out"
type Output struct {
	// name is the name of the Secret. A Secret of that name that belongs to somebody else is never touched.
	// +required
	Name ObjectName `json:"name,omitempty"`

	// format is the shape: Opaque, BasicAuth, DockerConfigJSON, GitCredentials, Netrc, GitHubCLI or
	// Header.
	// +required
	Format OutputFormat `json:"format,omitempty"`

	// type is the type of the Secret. By default the one that belongs to the format: kubernetes.io/basic-auth,
	// kubernetes.io/dockerconfigjson, otherwise Opaque. A Secret's type cannot be changed, so after a change
	// here the Secret is created anew.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Type string `json:"type,omitempty"`

	// username goes with the token. By default x-access-token, which GitHub takes for git over HTTPS.
	// GitHubCLI uses the account's login by default, once it is known.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_.-]+$')",message="must consist of letters, digits, dots, dashes and underscores"
	Username string `json:"username,omitempty"`

	// registry is the container registry, for DockerConfigJSON. By default that of the App's host: ghcr.io for
	// github.com, otherwise containers.HOST. One that belongs to another GitHub host is refused.
	// +optional
	Registry HostPort `json:"registry,omitempty"`

	// host is the host that the credentials are for, for BasicAuth, GitCredentials, Netrc and GitHubCLI. By
	// default the App's host. One that belongs to another GitHub host is refused.
	// +optional
	Host HostPort `json:"host,omitempty"`

	// url is the value of the key url of a BasicAuth Secret. By default https://HOST/, which Argo CD's
	// credential templates (repo-creds) match by prefix. An Argo CD repository Secret needs the URL of the
	// repository.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https://[A-Za-z0-9[][!-?A-~]*$')",message="must be an https:// URL with a host, without a user name, blanks and line breaks"
	URL string `json:"url,omitempty"`

	// key is the key of the Secret that holds the token or the file. By default access_token (Opaque),
	// .git-credentials (GitCredentials), .netrc (Netrc), hosts.yml (GitHubCLI), authorization (Header).
	// +optional
	Key SecretKey `json:"key,omitempty"`

	// prefix is what stands before the token, with a blank between them, for the format Header. By default Bearer. It may be
	// several words, such as the name of the header too. After Basic stand the username and the token in base64, as
	// git's servers read them.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[!-~]+( [!-~]+)*$')",message="must be words such as Bearer, with one blank between them and none at the end"
	Prefix string `json:"prefix,omitempty"`

	// includeRefreshToken adds the refresh token under the key refresh_token, for the format Opaque. Whoever
	// exchanges it ends the chain, so leave this off unless a tool insists on the key.
	// +optional
	IncludeRefreshToken bool `json:"includeRefreshToken,omitempty"`

	// labels are set on the Secret. At most 64; those of githubusertoken.dev are the operator's own.
	// +optional
	Labels Labels `json:"labels,omitempty"`

	// annotations are set on the Secret. At most 64; those of githubusertoken.dev are the operator's own.
	// +optional
	Annotations Annotations `json:"annotations,omitempty"`

	// Scope is that of a scoped output among AllOutputs, which sets it; nil for any other. It is no field of outputs: an earlier
	// version of the operator, or of the definition, would drop it alone, and write the user's own token in place of one that can do less.
	Scope *OutputScope `json:"-"`

	// Published says of an output among AllOutputs that it is the Secret of spec.secret with the strategy Alternate.
	Published bool `json:"-"`
}

// ScopedOutput is a Secret like that of an output, with a token that can do less than the user's: one that GitHub makes of it for
// some repositories and permissions. It needs the client secret of a GitHub App. The Secret has the key scoped_tokens as well, which is
// the operator's own: the tokens that it has made and not revoked yet.
//
// +kubebuilder:validation:XValidation:rule="!has(self.includeRefreshToken) || !self.includeRefreshToken",message="no refresh token comes with a scoped token: leave includeRefreshToken out"
// +kubebuilder:validation:XValidation:rule="!has(self.key) || self.key != 'scoped_tokens'",message="the key scoped_tokens is taken in a scoped output: choose another key"
type ScopedOutput struct {
	Output `json:",inline"`

	// scope is what the token is limited to.
	// +required
	Scope OutputScope `json:"scope,omitzero"`
}

// AllOutputs are the outputs, and behind them those with a scope, which have Scope set. They share what they refer to with the spec.
func (s *GitHubUserTokenSpec) AllOutputs() []Output {
	if len(s.ScopedOutputs) == 0 {
		return s.Outputs
	}
	all := append(make([]Output, 0, len(s.Outputs)+len(s.ScopedOutputs)), s.Outputs...)
	for i := range s.ScopedOutputs {
		scoped := &s.ScopedOutputs[i]
		output := scoped.Output
		output.Scope = &scoped.Scope
		all = append(all, output)
	}
	return all
}

// AllOutputs are those of the spec and, with the strategy Alternate, before them the Secret of the published token, which has Published set.
func (t *GitHubUserToken) AllOutputs() []Output {
	if !t.IsAlternating() {
		return t.Spec.AllOutputs()
	}
	published := Output{
		Name: t.PublishedSecretName(), Format: OutputFormatOpaque, Labels: t.Spec.Secret.Labels, Annotations: t.Spec.Secret.Annotations, Published: true,
	}
	return append([]Output{published}, t.Spec.AllOutputs()...)
}

// SetOutputs has a spec ask for these outputs, each in the list in which it belongs.
func (s *GitHubUserTokenSpec) SetOutputs(all []Output) {
	s.Outputs, s.ScopedOutputs = nil, nil
	for _, output := range all {
		if output.Scope == nil {
			s.Outputs = append(s.Outputs, output)
			continue
		}
		scoped := ScopedOutput{Output: output, Scope: *output.Scope}
		scoped.Output.Scope = nil
		s.ScopedOutputs = append(s.ScopedOutputs, scoped)
	}
}

// OutputScope is what the token of an output is limited to. What the user or the App has not got it cannot have either.
//
// +kubebuilder:validation:XValidation:rule="!has(self.repositories) || !has(self.repositoryIDs)",message="name the repositories by repositories or by repositoryIDs, not by both"
type OutputScope struct {
	// target is the login of the user or organization whose repositories they are. The App must be installed there.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][A-Za-z0-9_-]*$')",message="must be a GitHub login: letters, digits, dashes and underscores"
	Target string `json:"target,omitempty"`

	// repositories are the names of the repositories, without their owner. At most 50. Without repositories and repositoryIDs
	// the token reaches all that the installation reaches.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	Repositories []RepositoryName `json:"repositories,omitempty"`

	// repositoryIDs are the numeric ids of the repositories, which stay when a repository is renamed, as in the "id" of
	// https://api.github.com/repos/OWNER/NAME. At most 50.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:Minimum=1
	RepositoryIDs []int64 `json:"repositoryIDs,omitempty"`

	// permissions by GitHub's names, such as contents: read. At most 64. By default all of the installation. Names and levels are
	// GitHub's business, and passed on as they are.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(name, name.matches('^[a-z][a-z0-9_]{0,63}$'))",message="a permission is named in lower case with underscores, such as pull_requests"
	Permissions map[string]PermissionLevel `json:"permissions,omitempty"`
}

// RepositoryName is the name of a repository, without its owner.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=100
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9._-]+$')",message="must be the name of a repository without its owner: letters, digits, dots, dashes and underscores"
type RepositoryName string

// PermissionLevel is how much a permission allows.
//
// +kubebuilder:validation:Enum=read;write;admin
type PermissionLevel string

const (
	// PermissionRead allows to read.
	PermissionRead PermissionLevel = "read"
	// PermissionWrite allows to read and write.
	PermissionWrite PermissionLevel = "write"
	// PermissionAdmin allows everything.
	PermissionAdmin PermissionLevel = "admin"
)
