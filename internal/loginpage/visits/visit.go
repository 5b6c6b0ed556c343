package visits

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const (
	// Time is after what time a visit is removed, whatever it has come to.
	Time = 15 * time.Minute
	// unanswered is after what time one is removed of which the operator has begun no attempt: nobody was sent to GitHub for it.
	unanswered = 2 * time.Minute
	// unsent is after what time one is removed whose browser was not sent to GitHub. It goes there by itself as soon as there is an attempt.
	unsent = 3 * time.Minute
	// proven is for how long a visit stays that has a token. Its browser asks each second, so it is gone by then unless its tab was closed.
	proven = time.Minute
)

// New is a visit that asks for its login at once, of an App, and says by labels whose it is.
func New(namespace, name string, app v1alpha1.AppReference, browser, visitor, request string) *v1alpha1.GitHubUserToken {
	return &v1alpha1.GitHubUserToken{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{v1alpha1.LabelVisit: browser, v1alpha1.LabelVisitor: visitor},
			Annotations: map[string]string{
				v1alpha1.AnnotationWebLoginRequested: request,
				v1alpha1.AnnotationPurpose:           "somebody proves on the login page whose account is theirs",
			},
		},
		Spec: v1alpha1.GitHubUserTokenSpec{
			App:            v1alpha1.App{Ref: &app},
			Login:          &v1alpha1.Login{Methods: []v1alpha1.LoginMethod{v1alpha1.LoginMethodWebFlow}},
			Secret:         v1alpha1.SecretTemplate{Name: name},
			DeletionPolicy: v1alpha1.DeletionPolicyRevoke,
		},
	}
}

// IsLeft reports whether nobody goes on with a visit.
func IsLeft(visit *v1alpha1.GitHubUserToken, now time.Time) bool {
	age := now.Sub(visit.CreationTimestamp.Time)
	switch login, attempt := visit.Status.Login, visit.Status.WebLogin; {
	case age >= Time:
		return true
	case login != nil && login.Time != nil:
		return now.Sub(login.Time.Time) >= proven
	case login != nil:
		return age >= proven
	case attempt == nil || attempt.AttemptID == "" && attempt.Result == "":
		return age >= unanswered
	case attempt.Result == v1alpha1.WebLoginExpired: // Nobody can come back to it.
		return true
	case attempt.Result == "" && !isSent(visit) && !isConfirmed(visit):
		return age >= unsent
	default:
		return false
	}
}

// isSent reports whether the browser of a visit was sent to GitHub.
func isSent(visit *v1alpha1.GitHubUserToken) bool {
	return visit.Annotations[v1alpha1.AnnotationVisitSentAt] != ""
}

// isConfirmed reports whether the person has confirmed, so that a token is, or was, on its way.
func isConfirmed(visit *v1alpha1.GitHubUserToken) bool {
	attempt := visit.Status.WebLogin
	switch {
	case visit.Status.Login != nil:
		return true
	case attempt == nil:
		return false
	case attempt.Result != "":
		return attempt.Result == v1alpha1.WebLoginSucceeded
	default: // A code that is being redeemed has neither.
		return attempt.AttemptID != "" && attempt.AuthorizeURL == "" && attempt.ExpirationTime == nil
	}
}
