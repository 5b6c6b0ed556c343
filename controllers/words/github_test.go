package words

import (
	"os"
	"regexp"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// wanted is the condition reason of each error of GitHub's. A new one gets its row here, and so its reason on purpose.
var wanted = map[github.Reason]string{
	github.IncorrectClientCredentials: v1alpha1.ReasonIncorrectClientCredentials,
	github.UnknownClient:              v1alpha1.ReasonIncorrectClientCredentials,
	github.UnverifiedEmail:            v1alpha1.ReasonAppMisconfigured,
	github.AccessDenied:               v1alpha1.ReasonAppMisconfigured,
	github.ApplicationSuspended:       v1alpha1.ReasonAppMisconfigured,
	github.UnsupportedGrantType:       v1alpha1.ReasonAppMisconfigured,
	github.UnauthorizedClient:         v1alpha1.ReasonAppMisconfigured,
	github.InvalidRequest:             v1alpha1.ReasonAppMisconfigured,
	github.InvalidScope:               v1alpha1.ReasonAppMisconfigured,
	github.NotSupported:               v1alpha1.ReasonAppMisconfigured,
	github.Forbidden:                  v1alpha1.ReasonAppMisconfigured,
	github.BillingIssue:               v1alpha1.ReasonAppMisconfigured,
	github.SingleSignOn:               v1alpha1.ReasonAppMisconfigured,
	github.AddressNotPermitted:        v1alpha1.ReasonAppMisconfigured,
	github.AccountSuspended:           v1alpha1.ReasonAccountSuspended,
	github.ScopeNotGranted:            v1alpha1.ReasonScopeNotGranted,
	github.DeviceFlowDisabled:         v1alpha1.ReasonDeviceFlowDisabled,
	github.CodeRejected:               v1alpha1.ReasonLoginCodeRejected,
	github.RedirectMismatch:           v1alpha1.ReasonLoginCodeRejected,
	github.HostMalformed:              v1alpha1.ReasonHostNotAllowed,
	github.HostNotAllowed:             v1alpha1.ReasonHostNotAllowed,
	github.AddressNotAllowed:          v1alpha1.ReasonHostNotAllowed,
	github.CertificateNotTrusted:      v1alpha1.ReasonCertificateNotTrusted,
	github.Redirected:                 v1alpha1.ReasonRedirected,
	github.RateLimited:                v1alpha1.ReasonRateLimited,
	github.LoginAttemptsExceeded:      v1alpha1.ReasonRateLimited,
	github.HostUnreachable:            v1alpha1.ReasonHostUnreachable,
	github.UnreadableReply:            v1alpha1.ReasonUnreadableReply,
	github.ReplyCut:                   v1alpha1.ReasonUnreadableReply,
	github.UnknownError:               v1alpha1.ReasonUnreadableReply,
	github.ServerError:                v1alpha1.ReasonGitHubUnavailable,
	github.Timeout:                    v1alpha1.ReasonGitHubUnavailable,
	github.NoReply:                    v1alpha1.ReasonGitHubUnavailable,

	// These are dealt with before anybody asks for a reason: as a verdict, or as an answer to a question. What says so all
	// the same is tried again.
	github.RefreshTokenRejected: v1alpha1.ReasonGitHubUnavailable,
	github.ExpiredCode:          v1alpha1.ReasonGitHubUnavailable,
	github.IncorrectDeviceCode:  v1alpha1.ReasonGitHubUnavailable,
	github.AuthorizationPending: v1alpha1.ReasonGitHubUnavailable,
	github.SlowDown:             v1alpha1.ReasonGitHubUnavailable,
	github.TokenInvalid:         v1alpha1.ReasonGitHubUnavailable,
}

func TestWordsGiveEachErrorOfGitHubItsReason(t *testing.T) {
	for reason, want := range wanted {
		if got := ReasonOf(&github.Error{Reason: reason}); got != want {
			t.Errorf("%s: %s, want %s", reason, got, want)
		}
	}
	if got := ReasonOf(&github.Error{Reason: "Unheard"}); got != v1alpha1.ReasonGitHubUnavailable {
		t.Errorf("an error that nobody has heard of: %s", got)
	}
}

// The table has all errors that there are.
func TestWordsMissNoErrorOfGitHub(t *testing.T) {
	source, err := os.ReadFile("../../internal/github/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t\w+ +Reason = "(\w+)"$`).FindAllSubmatch(source, -1)
	if len(found) < 30 {
		t.Fatalf("%d errors were found in the source", len(found))
	}
	for _, name := range found {
		if _, known := wanted[github.Reason(name[1])]; !known {
			t.Errorf("%s has no row", name[1])
		}
	}
	if len(wanted) != len(found) {
		t.Errorf("%d rows, and %d errors", len(wanted), len(found))
	}
}
