package v1alpha1

import "slices"

// Login is how a person authorizes the App from the cluster.
type Login struct {
	// methods are the ways in which it can be done. DeviceFlow: by a code that a person enters at GitHub; the App must have
	// the device flow enabled. WebFlow: by a page of GitHub that the annotation githubusertoken.dev/web-login-requested asks
	// for, or the operator's login page where there is one; the App must have a client secret, and the callback URL.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Methods []LoginMethod `json:"methods,omitempty"`

	// scopes are what an OAuth App asks for, for example repo; offline_access, for a refresh token, is added. They
	// count for the next login. A GitHub App knows no scopes: what it may do is set in the App. At most 32.
	// +optional
	Scopes Scopes `json:"scopes,omitempty"`

	// repositoryID has GitHub limit the token of the next login to one repository, by its numeric id, as in the "id" of
	// https://api.github.com/repos/OWNER/NAME. GitHub ignores it, without a word, when the App or the account cannot access
	// that repository. An OAuth App does not know it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	RepositoryID int64 `json:"repositoryID,omitempty"`
}

// LoginMethod is a way in which a person authorizes an App.
//
// +kubebuilder:validation:Enum=DeviceFlow;WebFlow
type LoginMethod string

const (
	// LoginMethodDeviceFlow shows a code in status.authorization, which a person enters at GitHub.
	LoginMethodDeviceFlow LoginMethod = "DeviceFlow"
	// LoginMethodWebFlow shows a page of GitHub in status.webLogin, for whoever asks for it with the annotation
	// web-login-requested, and redeems the code that comes of it. Where the operator has a login page, and spec.user names the
	// account, it shows a link of that in status.authorization.
	LoginMethodWebFlow LoginMethod = "WebFlow"
)

// HasLoginMethod reports whether a person may log in by the method, however the spec says so.
func (s *GitHubUserTokenSpec) HasLoginMethod(method LoginMethod) bool {
	if s.DeviceFlow != nil && method == LoginMethodDeviceFlow {
		return true
	}
	return s.Login != nil && slices.Contains(s.Login.Methods, method)
}

// LoginScopes are the scopes that a login asks for, however the spec says so.
func (s *GitHubUserTokenSpec) LoginScopes() []string {
	switch {
	case s.Login != nil:
		return s.Login.Scopes
	case s.DeviceFlow != nil:
		return s.DeviceFlow.Scopes
	default:
		return nil
	}
}
