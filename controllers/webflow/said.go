package webflow

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// Why an attempt has ended, beside the reasons of GitHub's.
const (
	// WhyMalformed: what was brought back is no code.
	WhyMalformed = "CodeMalformed"
	// WhyUsed: the code is that of an earlier login.
	WhyUsed = "CodeUsed"
	// WhyNoVerifier: somebody has deleted the Secret of the verifier.
	WhyNoVerifier = "VerifierMissing"
)

const anew = "To begin anew, set the annotation " + v1alpha1.AnnotationWebLoginRequested + " with another request ID."

// saidOf says what came of an attempt, and what to do. Of one that has expired nobody has stored why no code was redeemed: what failed
// last is the best that is known.
func saidOf(s *scope.Scope, attempt *weblogin.Attempt, result v1alpha1.WebLoginResult) string {
	if result == v1alpha1.WebLoginExpired && s.Failure != nil {
		return expired + "What failed last: " + s.App.Veil(s.Failure).Message + " " + anew
	}
	return said(result, attempt.Why)
}

const expired = "No code was redeemed within ten minutes. "

// said says it where nothing but the attempt tells.
func said(result v1alpha1.WebLoginResult, why string) string {
	switch result {
	case v1alpha1.WebLoginSucceeded:
		return "The pair that the code brought is stored."
	case v1alpha1.WebLoginExpired:
		return expired + anew
	case v1alpha1.WebLoginLost:
		if why == weblogin.WhyHalf {
			return "GitHub's answer broke off: the access token is stored, and the refresh token that came with it is lost. Log in again before the access token expires. " + anew
		}
		return "The code was sent to GitHub, and no answer is known: what GitHub may have given for it is lost. The code is not sent again. " + anew
	case v1alpha1.WebLoginWrongUser:
		if why == rotation.ReasonUserUnknown {
			return "GitHub did not say in time which account the login belongs to, so its tokens were revoked and not stored. " + anew
		}
		return "The login belongs to another account than spec.user, so its tokens were not stored. " + anew
	case v1alpha1.WebLoginSuperseded:
		if why == weblogin.WhyForgotten {
			return "The pair Secret came back from elsewhere, or was put back to an older state, and the login that it tells of does not go on. " + anew
		}
		return "Another login came first, or spec.app has changed. " + anew
	case v1alpha1.WebLoginRefused, v1alpha1.WebLoginRejected:
	}
	switch why {
	case rotation.ReasonRevoked:
		return "The tokens that the login brought were revoked before they could be stored. " + anew
	case WhyMalformed:
		return "The Secret that was to bring the code holds none. " + anew
	case WhyUsed:
		return "The code is that of an earlier login, and was not sent to GitHub. " + anew
	case WhyNoVerifier:
		return "The Secret with the verifier of the login was deleted, so its code cannot be redeemed. " + anew
	}
	if words := github.Words(github.Reason(why)); words != "" {
		return "GitHub did not redeem the code: " + words + ". " + anew
	}
	return "GitHub did not redeem the code. " + anew
}
