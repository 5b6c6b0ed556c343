package deviceflow

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// unpinned is no matter of the token that there is, so that it stands beside what Authorized says of the chain.
const unpinned = " spec.user names no account: whoever sees a code of this resource can log in with theirs, and workloads then act as them. Set it to the account that is meant."

// unpinnedOnTheWeb is the same of a page.
const unpinnedOnTheWeb = " spec.user names no account: whoever sees the page of a login of this resource can log in with theirs, and workloads then act as them. Set it to the account that is meant."

// Unpinned is what Authorized says of a resource by whose codes, or pages, any account can log in; empty of others, and where the App may not be used.
// It begins with a blank.
func Unpinned(s *scope.Scope) string {
	if s.Token.Spec.User != nil || s.App.Problem != nil {
		return ""
	}
	switch {
	case s.Token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow):
		return unpinned
	case s.Token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow):
		return unpinnedOnTheWeb
	default:
		return ""
	}
}
