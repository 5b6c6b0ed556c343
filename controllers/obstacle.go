package controllers

import (
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// obstacle is what stands between a resource and its next exchange, in the words of its conditions.
type obstacle struct {
	reason  string
	message string
	// stalled says that nothing more will happen until somebody changes something. Otherwise the work is
	// being retried.
	stalled bool
	// unauthorized says that a human must authorize again, or put the refresh token where it belongs.
	unauthorized bool
	// beside says that it stands in the way of no exchange.
	beside bool
	// next is when the next try is; zero when it is not known or there is none.
	next time.Time
}

// withNext is the message with the time of the next try.
func (o *obstacle) withNext() string {
	if o.next.IsZero() {
		return o.message
	}
	return fmt.Sprintf("%s The next try is at %s.", o.message, o.next.UTC().Format(time.RFC3339))
}

// reasonOf is the condition reason of an error of GitHub's.
func reasonOf(err *github.Error) string {
	switch err.Reason {
	case github.IncorrectClientCredentials, github.UnknownClient:
		return v1alpha1.ReasonIncorrectClientCredentials
	case github.UnverifiedEmail, github.AccessDenied, github.ApplicationSuspended, github.UnsupportedGrantType,
		github.UnauthorizedClient, github.InvalidRequest, github.NotSupported, github.Forbidden:
		return v1alpha1.ReasonAppMisconfigured
	case github.DeviceFlowDisabled:
		return v1alpha1.ReasonDeviceFlowDisabled
	case github.HostMalformed, github.HostNotAllowed, github.AddressNotAllowed:
		return v1alpha1.ReasonHostNotAllowed
	case github.CertificateNotTrusted:
		return v1alpha1.ReasonCertificateNotTrusted
	case github.Redirected:
		return v1alpha1.ReasonRedirected
	case github.RateLimited:
		return v1alpha1.ReasonRateLimited
	case github.HostUnreachable:
		return v1alpha1.ReasonHostUnreachable
	case github.UnreadableReply, github.ReplyCut, github.UnknownError:
		return v1alpha1.ReasonUnreadableReply
	default:
		return v1alpha1.ReasonGitHubUnavailable
	}
}

// verdictWords say what each verdict means and what to do about it.
var verdictWords = map[string]string{
	v1alpha1.ReasonRefreshTokenMissing:  "The pair Secret holds no refresh token.",
	v1alpha1.ReasonRefreshTokenRejected: "GitHub refused the refresh token: it was spent elsewhere, was revoked, or belongs to another App.",
	v1alpha1.ReasonRefreshTokenExpired:  "The refresh token has expired: it was not used within its lifetime.",
	v1alpha1.ReasonReplyLost:            "GitHub exchanged the refresh token, but its reply never arrived whole, so the new refresh token is lost.",
	v1alpha1.ReasonRevoked:              "The authorization was revoked at GitHub.",
	v1alpha1.ReasonWrongUser:            "The login belongs to another account than spec.user; its pair was not stored.",
	v1alpha1.ReasonUserUnknown:          "GitHub did not say in time whose the login is, as spec.user asks; its pair was ended and not stored.",
	v1alpha1.ReasonAuthorizationDenied:  "The authorization was denied at GitHub.",
	v1alpha1.ReasonAuthorizationExpired: "Nobody entered a code at GitHub while codes were offered.",
	string(rotation.ObstacleAppChanged): "The stored pair belongs to another App or host than spec.app.",
	string(rotation.ObstacleUnproven):   "The pair Secret was restored from elsewhere, and nothing proves that its pair is the current one: GitHub does not take its access token any more. If you know that nobody has refreshed it since, set the annotation " + v1alpha1.AnnotationAdopt + " to the UID of this resource. Otherwise:",
}

// whatToDo ends the message of every condition that needs a human.
func whatToDo(token *v1alpha1.GitHubUserToken) string {
	switch ref := token.Spec.RefreshTokenRef; {
	case ref != nil && token.Spec.DeviceFlow == nil:
		return fmt.Sprintf("Authorize the App again and put the new refresh token into key %q of Secret %q.", ref.Key, ref.Name)
	case ref != nil:
		return fmt.Sprintf("Enter the code of status.authorization at GitHub, or put a new refresh token into key %q of Secret %q.", ref.Key, ref.Name)
	default:
		return "Enter the code of status.authorization at GitHub; set the annotation " + v1alpha1.AnnotationRefreshRequestedAt + " to ask for a fresh one."
	}
}

func needsHuman(token *v1alpha1.GitHubUserToken, reason string) *obstacle {
	return &obstacle{
		reason: reason, message: verdictWords[reason] + " " + whatToDo(token), stalled: true, unauthorized: true,
	}
}
