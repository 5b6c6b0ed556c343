package words

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// IsAppRefused reports whether GitHub has refused the client ID or client secret of the App.
func IsAppRefused(err *github.Error) bool {
	return err.Reason == github.IncorrectClientCredentials || err.Reason == github.UnknownClient
}

// IsOfApp reports whether it is the administrator of the App who has to do something about an error of GitHub's, rather than
// whoever made the resource or owns the account.
func IsOfApp(err *github.Error) bool {
	switch err.Reason {
	case github.IncorrectClientCredentials, github.UnknownClient, github.ApplicationSuspended, github.UnsupportedGrantType,
		github.UnauthorizedClient, github.InvalidRequest, github.NotSupported, github.DeviceFlowDisabled, github.RedirectMismatch,
		github.HostMalformed, github.HostNotAllowed, github.AddressNotAllowed, github.CertificateNotTrusted, github.Redirected:
		return true
	default:
		return false
	}
}

// ReasonOf is the condition reason of an error of GitHub's.
func ReasonOf(err *github.Error) string {
	switch err.Reason {
	case github.IncorrectClientCredentials, github.UnknownClient:
		return v1alpha1.ReasonIncorrectClientCredentials
	case github.UnverifiedEmail, github.AccessDenied, github.ApplicationSuspended, github.UnsupportedGrantType,
		github.UnauthorizedClient, github.InvalidRequest, github.InvalidScope, github.NotSupported, github.Forbidden,
		github.BillingIssue, github.SingleSignOn, github.AddressNotPermitted:
		return v1alpha1.ReasonAppMisconfigured
	case github.ScopeNotGranted:
		return v1alpha1.ReasonScopeNotGranted
	case github.AccountSuspended:
		return v1alpha1.ReasonAccountSuspended
	case github.DeviceFlowDisabled:
		return v1alpha1.ReasonDeviceFlowDisabled
	case github.CodeRejected, github.RedirectMismatch:
		return v1alpha1.ReasonLoginCodeRejected
	case github.HostMalformed, github.HostNotAllowed, github.AddressNotAllowed:
		return v1alpha1.ReasonHostNotAllowed
	case github.CertificateNotTrusted:
		return v1alpha1.ReasonCertificateNotTrusted
	case github.Redirected:
		return v1alpha1.ReasonRedirected
	case github.RateLimited, github.LoginAttemptsExceeded:
		return v1alpha1.ReasonRateLimited
	case github.HostUnreachable:
		return v1alpha1.ReasonHostUnreachable
	case github.UnreadableReply, github.ReplyCut, github.UnknownError:
		return v1alpha1.ReasonUnreadableReply
	default:
		return v1alpha1.ReasonGitHubUnavailable
	}
}
