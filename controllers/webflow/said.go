package webflow

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
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

// said says what came of an attempt, and what to do.
func said(result v1alpha1.WebLoginResult, why string) string {
	switch result {
	case v1alpha1.WebLoginSucceeded:
		return "The pair that the code brought is stored."
	case v1alpha1.WebLoginExpired:
		return "Nobody brought a code within ten minutes. " + anew
	case v1alpha1.WebLoginLost:
		return "The code was sent to GitHub, and no answer is known: what GitHub may have given for it is lost. The code is not sent again. " + anew
	case v1alpha1.WebLoginWrongUser:
		if why == rotation.ReasonUserUnknown {
			return "GitHub did not say in time which account the login belongs to, so its tokens were revoked and not stored. " + anew
		}
		return "The login belongs to another account than spec.user, so its tokens were not stored. " + anew
	case v1alpha1.WebLoginSuperseded:
		return "Another login came first, or spec.app has changed. " + anew
	case v1alpha1.WebLoginRefused, v1alpha1.WebLoginRejected:
	}
	switch why {
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
