package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GitHubUserToken keeps a GitHub App's user access token fresh: it exchanges the user's refresh token
// ahead of the access token's expiry and keeps the current pair in a Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ghut,categories=github,scope=Namespaced
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.accessTokenExpirationTime`
// +kubebuilder:printcolumn:name="Refreshed",type=date,JSONPath=`.status.lastRefreshTime`
// +kubebuilder:printcolumn:name="Code",type=string,JSONPath=`.status.authorization.userCode`,description="The code to enter at GitHub, while one is waited for"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Host",type=string,JSONPath=`.spec.app.host`,priority=1
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.app.ref.name`,priority=1
// +kubebuilder:printcolumn:name="User",type=string,JSONPath=`.status.user.login`,priority=1
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`,priority=1
// +kubebuilder:selectablefield:JSONPath=`.spec.app.clientID`
// +kubebuilder:selectablefield:JSONPath=`.spec.app.ref.kind`
// +kubebuilder:selectablefield:JSONPath=`.spec.app.ref.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.user.login`
// +kubebuilder:selectablefield:JSONPath=`.status.login.account`
// +kubebuilder:selectablefield:JSONPath=`.status.user.login`
// +kubebuilder:validation:XValidation:rule="!has(self.spec.refreshTokenRef) || (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) != self.spec.refreshTokenRef.name",message="the pair would be written over the seed: spec.secret.name (by default the name of the resource) must differ from spec.refreshTokenRef.name"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.app.clientSecretRef) || (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) != self.spec.app.clientSecretRef.name",message="the pair would be written over the client secret: spec.secret.name (by default the name of the resource) must differ from spec.app.clientSecretRef.name"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.outputs) || self.spec.outputs.all(o, o.name != (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name))",message="an output must not have the name of the pair's Secret (spec.secret.name, by default the name of the resource)"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.scopedOutputs) || self.spec.scopedOutputs.all(o, o.name != (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name))",message="a scoped output must not have the name of the pair's Secret (spec.secret.name, by default the name of the resource)"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.rotation) || self.spec.rotation.strategy != 'Alternate' || (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name).size() <= 243 && self.metadata.name.size() <= 243",message="with the strategy Alternate the names of the resource and of its Secret must leave room for -alternate: at most 243 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.rotation) || self.spec.rotation.strategy != 'Alternate' || !has(self.spec.refreshTokenRef) || !(self.spec.refreshTokenRef.name in [(has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) + '-primary', (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) + '-alternate'])",message="a pair would be written over the seed: with the strategy Alternate the pairs are in the Secrets of that name with -primary and -alternate behind it"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.rotation) || self.spec.rotation.strategy != 'Alternate' || !has(self.spec.rotation.alternateRefreshTokenRef) || !(self.spec.rotation.alternateRefreshTokenRef.name in [(has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name), (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) + '-primary', (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) + '-alternate'])",message="a pair would be written over the seed: rotation.alternateRefreshTokenRef must not name the Secret of spec.secret.name, nor that with -primary or -alternate behind it"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.rotation) || self.spec.rotation.strategy != 'Alternate' || !has(self.spec.outputs) || self.spec.outputs.all(o, !(o.name in [(has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) + '-primary', (has(self.spec.secret) && has(self.spec.secret.name) ? self.spec.secret.name : self.metadata.name) + '-alternate']))",message="an output must not have the name of a pair's Secret: with the strategy Alternate those are spec.secret.name with -primary and -alternate behind it"
type GitHubUserToken struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the ordinary metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is wanted.
	// +required
	Spec GitHubUserTokenSpec `json:"spec,omitzero"`

	// status is what the operator last saw. It is a report: everything in it can be computed again. Until the
	// operator has seen the resource, observedGeneration is -1, which tells Flux and kstatus that it is not
	// current.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status GitHubUserTokenStatus `json:"status,omitzero"`
}

// GitHubUserTokenList is a list of GitHubUserToken.
//
// +kubebuilder:object:root=true
type GitHubUserTokenList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GitHubUserToken `json:"items"`
}

// PairSecretName is the name of the Secret that holds the current pair.
func (t *GitHubUserToken) PairSecretName() string {
	if t.IsAlternating() {
		return t.PublishedSecretName() + primarySuffix
	}
	return t.PublishedSecretName()
}
