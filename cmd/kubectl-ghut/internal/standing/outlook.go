package standing

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// HasToken reports whether a token was ever received. It may have expired.
func HasToken(token *v1alpha1.GitHubUserToken) bool { return token.Status.LastRefreshTime != nil }

// Held is until when a refresh is put off; zero when it is not.
func Held(token *v1alpha1.GitHubUserToken, now time.Time) time.Time {
	held, err := time.Parse(time.RFC3339, token.Annotations[v1alpha1.AnnotationHoldUntil])
	if err != nil || !held.After(now) {
		return time.Time{}
	}
	return held
}

// Outlook says what becomes of the token of a resource that is not suspended, in a sentence.
func Outlook(token *v1alpha1.GitHubUserToken, now time.Time) string {
	f := factsOf(token, now)
	expires := token.Status.AccessTokenExpirationTime
	switch held := Held(token, now); {
	case !HasToken(token) && CanLogIn(token):
		return "It has no token yet, so there is nothing to refresh. To log in: " + f.command("login")
	case !HasToken(token):
		return "It has no token yet, so there is nothing to refresh. To see what it waits for: " + f.command("status")
	case f.authorized != nil && f.authorized.Status == metav1.ConditionFalse && CanLogIn(token):
		return "Its login has ended, so there is nothing to refresh it with. To log in again: " + f.command("login")
	case f.authorized != nil && f.authorized.Status == metav1.ConditionFalse:
		return "Its login has ended, so there is nothing to refresh it with. To see what to do: " + f.command("status")
	case expires == nil:
		return "Its token does not expire, so nothing is refreshed."
	case !held.IsZero():
		return fmt.Sprintf("Its refresh is put off until %s. To end that: %s", When(held, now), f.command("hold", "--release"))
	case !expires.After(now):
		return "Its token has expired, and is refreshed at once."
	default:
		return "Its token is refreshed when it is due."
	}
}
