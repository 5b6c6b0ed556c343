package deviceflow

import (
	"errors"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// enterCode tells the person what to do. failed is why the last poll failed; nil when it did not.
func enterCode(token *v1alpha1.GitHubUserToken, device *rotation.DeviceAuthorization, why *login, failed *problem.Problem, late time.Duration) *problem.Problem {
	as := ""
	if pin := token.Spec.User; pin != nil && pin.Login != "" {
		as = ", signed in as " + pin.Login + ","
	} else if pin != nil {
		as = fmt.Sprintf(", signed in as the account with the id %d,", pin.ID)
	}
	message := fmt.Sprintf("Open %s%s and enter the code %s before %s.",
		device.VerificationURI, as, device.UserCode, words.Time(device.ExpiresAt))
	if why.cause != "" {
		message += " " + why.cause
	}
	if failed != nil {
		message += " At present the operator cannot see whether this was done: " + failed.Message
	}
	if late > 0 {
		message += fmt.Sprintf(" Many logins are waited for, so the operator may take %s to see that this was done.", minutes(late))
	}
	return &problem.Problem{Reason: v1alpha1.ReasonAuthorizationPending, Unauthorized: true, Message: message}
}

// minutes are whole ones, in words.
func minutes(d time.Duration) string {
	if d <= time.Minute {
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes()))
}

// codeRequested is shown until there is a code. late is for about how long the request waits for its turn.
func codeRequested(why *login, late time.Duration) *problem.Problem {
	message := "The operator is requesting a code from GitHub for a person to enter."
	if late > 0 {
		message += fmt.Sprintf(" Many requests wait before this one, so the code may take %s to come.", minutes(late))
	}
	if why.cause != "" {
		message += " " + why.cause
	}
	return &problem.Problem{Reason: v1alpha1.ReasonAuthorizationPending, Unauthorized: true, Message: message}
}

// askForAnother says that no more codes are offered until somebody asks for one.
func askForAnother(token *v1alpha1.GitHubUserToken, reason string) *problem.Problem {
	message := words.Verdict(reason) + " To get another code, set the annotation " + v1alpha1.AnnotationRefreshRequestedAt + " to any new value"
	if ref := token.Spec.RefreshTokenRef; ref != nil {
		message += fmt.Sprintf(". Or put a new refresh token into key %q of Secret %q", ref.Key, ref.Name)
	}
	return &problem.Problem{Reason: reason, Message: message + ".", Stalled: true, Unauthorized: true}
}

// atGitHub is the problem of a request that GitHub did not answer as was hoped for.
func atGitHub(err error) *problem.Problem {
	var failed *github.Error
	if !errors.As(err, &failed) {
		return &problem.Problem{Reason: v1alpha1.ReasonGitHubUnavailable, Message: words.Sentence(words.Of(err))}
	}
	// An App without the device flow is for its owner to change, and no login comes before that.
	disabled := failed.Reason == github.DeviceFlowDisabled
	return &problem.Problem{
		Reason: words.ReasonOf(failed), Message: words.Sentence(failed.Error()), Stalled: disabled, Unauthorized: disabled, OfApp: words.IsOfApp(failed),
	}
}

// atStore is the problem of a code that could not be stored.
func atStore(err error) *problem.Problem {
	if errors.Is(err, rotation.ErrTerminating) {
		return &problem.Problem{
			Reason: v1alpha1.ReasonNamespaceTerminating, Message: "The namespace is being deleted, so nobody is asked to log in.",
		}
	}
	if errors.Is(err, rotation.ErrAltered) {
		return words.AlteredByAdmission("No code is shown", err)
	}
	whatToDo := ""
	if errors.Is(err, rotation.ErrDenied) {
		whatToDo = " Whoever has set up what refuses that must let the operator write Secrets in this namespace; it is tried again."
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonAPIServerUnavailable, Message: "No code is shown, because it could not be stored first: " + words.Of(err) + "." + whatToDo,
	}
}
