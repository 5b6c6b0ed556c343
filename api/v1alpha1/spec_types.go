package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GitHubUserTokenSpec says whose token is kept fresh, by which App, and where it goes.
//
// +kubebuilder:validation:XValidation:rule="has(self.refreshTokenRef) || has(self.login) || has(self.deviceFlow)",message="say where the authorization comes from: refreshTokenRef (a Secret with a refresh token), login (with methods: [DeviceFlow] a person enters a code), or both"
// +kubebuilder:validation:XValidation:rule="!has(self.login) || !('WebFlow' in self.login.methods) || has(self.app.ref) || has(self.app.clientSecretRef)",message="the login method WebFlow needs the client secret of the App: add app.clientSecretRef, or name the App by app.ref"
// +kubebuilder:validation:XValidation:rule="!has(self.login) || !has(self.deviceFlow)",message="deviceFlow is what login was before: leave deviceFlow out, and put its scopes into login.scopes"
// +kubebuilder:validation:XValidation:rule="!has(self.app.clientID) || !self.app.clientID.startsWith('Iv') || !(has(self.login) && has(self.login.scopes) || has(self.deviceFlow) && has(self.deviceFlow.scopes))",message="a GitHub App (client ID Iv…) knows no scopes: leave out scopes, and set the permissions in the App"
// +kubebuilder:validation:XValidation:rule="!has(self.login) || !has(self.login.repositoryID) || !has(self.app.clientID) || !self.app.clientID.startsWith('Ov')",message="an OAuth App (client ID Ov…) cannot be limited to a repository: leave out login.repositoryID, or use a GitHub App"
// +kubebuilder:validation:XValidation:rule="!has(self.outputs) || !has(self.refreshTokenRef) || self.outputs.all(o, o.name != self.refreshTokenRef.name)",message="an output must not have the name of the seed (refreshTokenRef.name)"
// +kubebuilder:validation:XValidation:rule="!has(self.scopedOutputs) || !has(self.refreshTokenRef) || self.scopedOutputs.all(o, o.name != self.refreshTokenRef.name)",message="a scoped output must not have the name of the seed (refreshTokenRef.name)"
// +kubebuilder:validation:XValidation:rule="!has(self.outputs) || !has(self.app.clientSecretRef) || self.outputs.all(o, o.name != self.app.clientSecretRef.name)",message="an output must not have the name of the client secret's Secret (app.clientSecretRef.name)"
// +kubebuilder:validation:XValidation:rule="!has(self.scopedOutputs) || !has(self.app.clientSecretRef) || self.scopedOutputs.all(o, o.name != self.app.clientSecretRef.name)",message="a scoped output must not have the name of the client secret's Secret (app.clientSecretRef.name)"
// +kubebuilder:validation:XValidation:rule="!has(self.scopedOutputs) || !has(self.outputs) || self.scopedOutputs.all(s, self.outputs.all(o, o.name != s.name))",message="an output and a scoped output must not have the same name"
// +kubebuilder:validation:XValidation:rule="!has(self.scopedOutputs) || has(self.app.ref) || has(self.app.clientSecretRef)",message="scopedOutputs needs the client secret of the App: add app.clientSecretRef, or name the App by app.ref"
// +kubebuilder:validation:XValidation:rule="!has(self.scopedOutputs) || !has(self.app.clientID) || !self.app.clientID.startsWith('Ov')",message="an OAuth App (client ID Ov…) has no scoped tokens: leave scopedOutputs out, or use a GitHub App"
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || self.rotation.strategy != 'Alternate' || has(self.rotation.alternateRefreshTokenRef) || has(self.login) || has(self.deviceFlow)",message="the strategy Alternate needs a second login: add rotation.alternateRefreshTokenRef (a Secret with its refresh token), or login"
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || self.rotation.strategy != 'Alternate' || !has(self.refreshBefore)",message="refreshBefore has no meaning with the strategy Alternate: leave it out, and use rotation.overlap"
// +kubebuilder:validation:XValidation:rule="!has(self.rotation) || self.rotation.strategy != 'Alternate' || !has(self.refreshTokenRef) || !has(self.rotation.alternateRefreshTokenRef) || self.refreshTokenRef.name != self.rotation.alternateRefreshTokenRef.name || (has(self.refreshTokenRef.key) ? self.refreshTokenRef.key : 'refresh_token') != (has(self.rotation.alternateRefreshTokenRef.key) ? self.rotation.alternateRefreshTokenRef.key : 'refresh_token')",message="both logins would be the same one: rotation.alternateRefreshTokenRef must name another seed than refreshTokenRef"
type GitHubUserTokenSpec struct {
	// app is the GitHub App that the user has authorized: a GitHubApp or ClusterGitHubApp that somebody offers, by ref, or
	// one that stands here, by clientID. An OAuth App with expiring tokens works as well.
	// A refresh token belongs to one App: after a change here a new login is needed, and the tokens of
	// the former App are left untouched until there is one.
	// +required
	App App `json:"app,omitzero"`

	// refreshTokenRef names the seed: the Secret with the refresh token that the user's login returned. It is
	// read and never modified, and imported only once: GitOps may re-apply it for ever, and it may be deleted
	// after the import. A refresh token that was never seen before is a new login and replaces the current
	// pair.
	// +optional
	RefreshTokenRef *RefreshTokenReference `json:"refreshTokenRef,omitempty"`

	// login lets a person authorize from the cluster, whenever there is no usable refresh token: status.authorization
	// shows what to do.
	// +optional
	Login *Login `json:"login,omitempty"`

	// deviceFlow is login with the method DeviceFlow, as it was written before there was login. It means what it meant.
	//
	// Deprecated: use login.
	// +optional
	DeviceFlow *DeviceFlow `json:"deviceFlow,omitempty"`

	// user is the account that the token must belong to. A pair of any other account is revoked, reported as
	// WrongUser, and never reaches the Secret. By default any account is taken.
	// +optional
	User *UserSelector `json:"user,omitempty"`

	// secret is the Secret that holds the current pair. It is created and owned by the operator; a Secret of
	// that name that belongs to somebody else is never touched.
	// +optional
	Secret SecretTemplate `json:"secret,omitzero"`

	// refreshBefore is how long before the access token's expiry it is refreshed, as a Go duration ("90m").
	// At least 1s, at most 4380h. By default a quarter of the access token's lifetime: 2h of GitHub's 8h. A
	// value that is not shorter than the lifetime is reported, and the default is used in its place.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('4380h')",message="must be a duration between 1s and 4380h, for example 90m or 2h"
	RefreshBefore *metav1.Duration `json:"refreshBefore,omitempty"`

	// rotation says how a new access token takes the place of the one before. By default it replaces it, which ends that one at once.
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`

	// checkInterval is how often GitHub is asked whether the access token is still alive, as a Go duration.
	// At least 10s, at most 4380h. Off by default; then a revocation is noticed at the next refresh.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('4380h')",message="must be a duration between 10s and 4380h, for example 5m"
	CheckInterval *metav1.Duration `json:"checkInterval,omitempty"`

	// deletionPolicy says what becomes of the pair when this resource is deleted. Delete removes the Secret
	// and leaves the token to expire. Retain leaves the Secret, without an owner; a resource of the same
	// name, seed and App takes it up again. Revoke ends the token at GitHub before the Secret is removed.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend stops all exchanges. The Secret and its pair stay as they are, also past the token's expiry.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// outputs are further Secrets, derived from the pair, in the shapes that consumers read.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Outputs []Output `json:"outputs,omitempty"`

	// scopedOutputs are further Secrets whose tokens can do less than the user's: GitHub makes each of it, for some repositories
	// and permissions. The operator's administrator turns them on. At most four, since GitHub may count their tokens to the ten that
	// an account can have of an App.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=4
	ScopedOutputs []ScopedOutput `json:"scopedOutputs,omitempty"`

	// handoff says how workloads learn of a new token at once. By default they wait for the kubelet, which
	// takes 60 to 80 seconds to refresh a volume.
	// +optional
	Handoff *Handoff `json:"handoff,omitempty"`
}

// RefreshTokenReference points at the key of a Secret in the resource's own namespace that holds a
// refresh token.
type RefreshTokenReference struct {
	// name is the name of the Secret.
	// +required
	Name ObjectName `json:"name,omitempty"`

	// key is the key whose value is the refresh token. White space around it is ignored.
	// +optional
	// +kubebuilder:default=refresh_token
	Key SecretKey `json:"key,omitempty"`
}

// DeviceFlow turns the device flow on by its presence ("deviceFlow: {}").
//
// Deprecated: use Login.
type DeviceFlow struct {
	// scopes are what an OAuth App asks for, as in login.
	// +optional
	Scopes Scopes `json:"scopes,omitempty"`
}

// UserSelector names one GitHub account.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="has(self.login) || has(self.id)",message="name the account by login or by id"
type UserSelector struct {
	// login is the account's login. Upper and lower case are the same. Logins can be changed and taken over
	// by others; an id cannot.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][A-Za-z0-9_-]*$')",message="must be a GitHub login: letters, digits, dashes and underscores"
	Login string `json:"login,omitempty"`

	// id is the account's numeric id, as in the "id" of https://api.github.com/users/LOGIN.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ID int64 `json:"id,omitempty"`
}

// SecretTemplate names a Secret and carries extra metadata for it.
type SecretTemplate struct {
	// name is the name of the Secret. By default the name of the resource. After a change the pair moves to
	// the Secret of the new name.
	// +optional
	Name ObjectName `json:"name,omitempty"`

	// labels are set on the Secret. At most 64; those of githubusertoken.dev are the operator's own.
	// +optional
	Labels Labels `json:"labels,omitempty"`

	// annotations are set on the Secret. At most 64; those of githubusertoken.dev are the operator's own.
	// +optional
	Annotations Annotations `json:"annotations,omitempty"`
}

// DeletionPolicy says what becomes of the pair when its resource is deleted.
//
// +kubebuilder:validation:Enum=Delete;Retain;Revoke
type DeletionPolicy string

const (
	// DeletionPolicyDelete removes the Secret; the access token lives on until it expires.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain leaves the Secret with the pair, without an owner.
	DeletionPolicyRetain DeletionPolicy = "Retain"
	// DeletionPolicyRevoke ends the token at GitHub, then removes the Secret.
	DeletionPolicyRevoke DeletionPolicy = "Revoke"
)
