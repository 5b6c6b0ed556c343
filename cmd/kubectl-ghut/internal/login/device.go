package login

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/cmd/kubectl-ghut/internal/standing"
)

// Step is what comes next.
type Step int

const (
	// Wait: the operator is at work, or the person is.
	Wait Step = iota
	// Ask: no code is offered any more, so another is to be asked for.
	Ask
	// Show: there is a code that the person has not seen.
	Show
	// Done: the person is logged in.
	Done
	// Fail: it will not come to anything.
	Fail
)

// askAfter is how long a code is waited for before one is asked for.
const askAfter = 15 * time.Second

// barredAfter is how long the operator is given for another try, whose request may take 20 s, where somebody has to mend something.
const barredAfter = 30 * time.Second

// Device is a login by the device flow, as it goes on.
type Device struct {
	begun    bool
	received *metav1.Time // lastRefreshTime when it began
	since    time.Time
	asked    bool
	barredAt time.Time // when it was first seen that somebody has to mend something, and the operator was asked to try again
	shown    string
	aside    string
}

// mends are reasons for which no code comes before somebody has mended something, although the operator tries again by itself.
var mends = []string{
	v1alpha1.ReasonIncorrectClientCredentials, v1alpha1.ReasonAppMisconfigured, v1alpha1.ReasonClientSecretMissing, v1alpha1.ReasonHostNotAllowed,
	v1alpha1.ReasonAppNotUsable, v1alpha1.ReasonAppPolicyViolated, v1alpha1.ReasonUserRequired,
	v1alpha1.ReasonCertificateNotTrusted, v1alpha1.ReasonRedirected, v1alpha1.ReasonAccountSuspended, v1alpha1.ReasonDeviceFlowDisabled,
}

// Aside is what the operator says besides, once: why nothing happens yet, and that it may take a while. It is empty when there is nothing new.
func (d *Device) Aside(token *v1alpha1.GitHubUserToken) string {
	if token.Status.ObservedGeneration != token.Generation {
		return ""
	}
	text := ""
	if trying := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling); trying != nil && trying.Status == metav1.ConditionTrue {
		text = standing.Plain(trying.Message)
	}
	if authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized); authorized != nil && authorized.Reason == v1alpha1.ReasonAuthorizationPending {
		text = "" // The code is told by itself.
		for _, beginning := range []string{"Many ", "At present the operator cannot see"} {
			if at := strings.Index(authorized.Message, beginning); at >= 0 {
				text = standing.Plain(authorized.Message[at:])
				break
			}
		}
	}
	if text == d.aside {
		return ""
	}
	d.aside = text
	return text
}

// barred is what comes next where the operator waits for somebody to mend something. It may have been mended just now: so the operator is
// asked to look again first.
func (d *Device) barred(trying *metav1.Condition, now time.Time) (Step, string) {
	switch {
	case d.barredAt.IsZero():
		d.barredAt = now
		return Ask, ""
	case now.Sub(d.barredAt) <= barredAfter:
		return Wait, ""
	default:
		return Fail, standing.Plain(trying.Message) + " No code comes before that is mended."
	}
}

// Next is what comes next: of Show the code is in the status, of Done and Fail the text says what to tell the person. The error
// code of a failure is that of the resource's state.
func (d *Device) Next(token *v1alpha1.GitHubUserToken, now time.Time) (Step, string) {
	if !d.begun {
		d.begun, d.received, d.since = true, token.Status.LastRefreshTime, now
	}
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	ready := meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady)
	code := token.Status.Authorization
	if code != nil && code.UserCode == "" {
		code = nil // There is a link of the login page alone.
	}
	fresh := token.Status.ObservedGeneration == token.Generation
	switch {
	case token.DeletionTimestamp != nil:
		return Fail, "the resource is being deleted"
	case token.Spec.Suspend:
		return Fail, fmt.Sprintf("%s is suspended, so that nobody can log in: kubectl ghut resume %s -n %s", token.Name, token.Name, token.Namespace)
	case fresh && ready && authorized != nil && authorized.Status == metav1.ConditionTrue:
		return Done, d.success(token)
	case code != nil && code.UserCode != d.shown && code.ExpirationTime != nil && code.ExpirationTime.After(now):
		d.shown = code.UserCode
		return Show, ""
	case code != nil || authorized == nil || !fresh:
		return Wait, ""
	}
	if trying := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReconciling); trying != nil && trying.Status == metav1.ConditionTrue &&
		slices.Contains(mends, trying.Reason) {
		return d.barred(trying, now)
	}
	if authorized.Status == metav1.ConditionFalse {
		return d.ended(token, authorized, now)
	}
	if stalled := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil &&
		authorized.Status != metav1.ConditionFalse && stalled.Status == metav1.ConditionTrue {
		return Fail, standing.Plain(stalled.Message)
	}
	return Wait, ""
}

// ended is what comes next when no code is offered and Authorized is False: what the person did with the code that was shown, or a
// former series that has ended, or a cause that no login mends.
func (d *Device) ended(token *v1alpha1.GitHubUserToken, authorized *metav1.Condition, now time.Time) (Step, string) {
	switch authorized.Reason {
	case v1alpha1.ReasonAuthorizationDenied, v1alpha1.ReasonAuthorizationExpired, v1alpha1.ReasonWrongUser, v1alpha1.ReasonUserUnknown:
		switch {
		case d.shown != "":
			return Fail, failure(token, authorized)
		case !d.asked:
			d.asked = true
			return Ask, ""
		}
		return Wait, ""
	case v1alpha1.ReasonAuthorizationPending:
		return Wait, ""
	case v1alpha1.ReasonDeviceFlowDisabled:
		return Fail, standing.Plain(authorized.Message)
	}
	if stalled := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionStalled); stalled != nil &&
		stalled.Status == metav1.ConditionTrue && stalled.Reason != authorized.Reason {
		return Fail, standing.Plain(stalled.Message) // A configuration that is to be changed first.
	}
	if !d.asked && now.Sub(d.since) > askAfter {
		d.asked = true
		return Ask, ""
	}
	return Wait, ""
}

// failure is a login that came to nothing, in a sentence.
func failure(token *v1alpha1.GitHubUserToken, authorized *metav1.Condition) string {
	again := fmt.Sprintf("kubectl ghut login %s -n %s", token.Name, token.Namespace)
	switch authorized.Reason {
	case v1alpha1.ReasonWrongUser:
		return fmt.Sprintf("the browser was signed in to GitHub as somebody else than %s: that login was refused, and its token revoked. "+
			"Sign out at GitHub, or use a private window, and log in again: %s", Wanted(token), again)
	case v1alpha1.ReasonAuthorizationDenied:
		return "the login was cancelled at GitHub. Nothing was handed over. To begin anew: " + again
	case v1alpha1.ReasonAuthorizationExpired:
		return "nobody entered a code in time. To begin anew: " + again
	default:
		return standing.Plain(authorized.Message) + " To begin anew: " + again
	}
}

// Wanted is the account that spec.user asks for; empty when any will do.
func Wanted(token *v1alpha1.GitHubUserToken) string {
	switch user := token.Spec.User; {
	case user == nil:
		return ""
	case user.Login != "":
		return user.Login
	default:
		return fmt.Sprintf("the account with the id %d", user.ID)
	}
}

// success says who is logged in, and where the token is.
func (d *Device) success(token *v1alpha1.GitHubUserToken) string {
	what := "Logged in"
	if d.shown == "" && !d.asked && d.received != nil && token.Status.LastRefreshTime.Equal(d.received) {
		what = "There is nothing to do: logged in already"
	}
	if user := token.Status.User; user != nil {
		what += fmt.Sprintf(" as %s (id %d)", user.Login, user.ID)
	}
	text := fmt.Sprintf("%s. The token is in the Secret %s of namespace %s", what, standing.SecretOf(token), token.Namespace)
	if expires := token.Status.AccessTokenExpirationTime; expires != nil {
		text += fmt.Sprintf(", and is replaced before it expires at %s", expires.UTC().Format("15:04Z"))
	}
	return text + "."
}
