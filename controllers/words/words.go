package words

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// verdicts say what each reason of Authorized=False means.
var verdicts = map[string]string{
	v1alpha1.ReasonRefreshTokenMissing:   "The pair Secret holds no refresh token.",
	v1alpha1.ReasonRefreshTokenMalformed: "Somebody has put what is no refresh token in the place of the one in the pair Secret. Nothing of it was sent to GitHub.",
	v1alpha1.ReasonRefreshTokenRejected:  "GitHub refused the refresh token: it was used before (elsewhere, or by a resource that has been deleted since), was revoked, belongs to another App, was not copied as a whole, was ended by GitHub when the user had more than ten tokens of this App, or is an old one that came back with a restored backup.",
	v1alpha1.ReasonRefreshTokenExpired:   "The refresh token has expired: it was not used within its lifetime.",
	v1alpha1.ReasonReplyLost:             "The refresh token is spent, and what GitHub gave for it is lost: the reply did not arrive whole, or the exchange was cut short before its outcome was stored.",
	v1alpha1.ReasonRevoked:               "The authorization was revoked at GitHub.",
	v1alpha1.ReasonRevokedOnRequest:      RevocationAsked + " No token of it is refreshed any more.",
	v1alpha1.ReasonWrongUser:             "The login belongs to another account than spec.user, so its tokens were not stored.",
	v1alpha1.ReasonUserUnknown:           "spec.user asks for an account, and GitHub did not say in time which account the login belongs to. Its tokens were revoked and not stored.",
	v1alpha1.ReasonAuthorizationDenied:   "The authorization was denied at GitHub.",
	v1alpha1.ReasonAuthorizationExpired:  "Nobody entered a code at GitHub while codes were offered.",
	v1alpha1.ReasonAppChanged:            "The stored pair belongs to another App or host than spec.app.",
	v1alpha1.ReasonPairUnproven: "The pair Secret was restored from elsewhere, or put back to an older state, and nothing proves that its pair is the current one: GitHub does not accept its access token. If you know that nobody has refreshed it since, set the annotation " +
		v1alpha1.AnnotationAdopt + " to the UID of this resource. Otherwise:",
}

// RevocationAsked is what conditions say of a login whose end is asked for. Who has set the annotation is not known: whoever may change
// the resource can.
const RevocationAsked = "The end of this login was asked for in the name of its account, by the annotation " + v1alpha1.AnnotationRevocationRequested + "."

const (
	// VisitLeft is what is said of a visit of the login page whose login the operator ends.
	VisitLeft = "This is a visit of the login page, by which somebody proves whose account is theirs, and the page has left it, so the operator ends its login."
	// VisitEnded is what is said of one afterwards. Nobody is to log in.
	VisitEnded = VisitLeft + " No token of it is refreshed any more, and status.login.revocation says whether GitHub has ended its tokens. Nobody needs this resource any more: the login page deletes it as soon as it runs, or delete it yourself."
)

// Released is what is said of a resource that nobody but others holds any more.
const Released = "The resource is being deleted, and the operator is done with it. It goes when others have taken their finalizers off."

// Proving is what conditions say of a pair while GitHub is asked about it.
const Proving = "The pair Secret was restored from elsewhere, or put back to an older state. The operator is finding out whether its pair is the current one."

// AccessTokenEnded is what conditions say of an access token that GitHub does not accept any more.
const AccessTokenEnded = "GitHub no longer accepts the access token. The operator is requesting a new one."

// Replaced is what conditions say of a stored access token when the pair that replaces it is not stored yet.
const Replaced = "The stored access token no longer works: GitHub has replaced it already."

// BarredPrefix begins what conditions say of an access token whose account GitHub lets do nothing.
const BarredPrefix = "GitHub knows the access token, and accepts it for nothing: "

// Barred is what conditions say of an access token whose account GitHub lets do nothing, by GitHub's error. Exchanges go on:
// the chain has to be alive on the day on which the account is let in again, and a login could not be made meanwhile.
func Barred(err error) string {
	return BarredPrefix + Of(err) + ". The operator goes on refreshing the token and asking, and Ready becomes True by itself."
}

// Verdict is the sentence for a reason of Authorized=False; empty for other reasons.
func Verdict(reason string) string { return verdicts[reason] }

const (
	orInBrowser   = " Or log in with a browser: see the annotation " + v1alpha1.AnnotationWebLoginRequested + "."
	onlyInBrowser = "Log in with a browser: set the annotation " + v1alpha1.AnnotationWebLoginRequested + ", and open the page of status.webLogin."
)

// WithLink is a message of what a person has to do where there is a link of the login page, which takes the place of the annotation.
// The link itself is not told: whoever has it may log in by it.
func WithLink(message, account string) string {
	link := "pen the link of status.authorization.loginURL in a browser, and log in as " + account + "."
	if before, after, found := strings.Cut(message, onlyInBrowser); found {
		return before + "O" + link + after
	}
	before, after, _ := strings.Cut(message, orInBrowser)
	return before + " Or o" + link + after
}

// WhatToDo ends the message of every condition that needs a person.
func WhatToDo(token *v1alpha1.GitHubUserToken) string {
	ref, byCode := token.Spec.RefreshTokenRef, token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow)
	inBrowser := ""
	if token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow) {
		inBrowser = orInBrowser
	}
	switch {
	case ref != nil && !byCode:
		return fmt.Sprintf("Authorize the App again and put the new refresh token into key %q of Secret %q.", ref.Key, ref.Name) + inBrowser
	case ref != nil:
		return fmt.Sprintf("Enter the code of status.authorization at GitHub, or put a new refresh token into key %q of Secret %q.", ref.Key, ref.Name) + inBrowser
	case !byCode && inBrowser != "":
		return onlyInBrowser
	default:
		return "Enter the code of status.authorization at GitHub; set the annotation " + v1alpha1.AnnotationRefreshRequestedAt + " to ask for a new code." + inBrowser
	}
}

// NeedsHuman is the problem of a resource that goes on when a person has authorized the App again.
func NeedsHuman(token *v1alpha1.GitHubUserToken, reason string) *problem.Problem {
	return &problem.Problem{
		Reason: reason, Message: Verdict(reason) + " " + WhatToDo(token), Stalled: true, Unauthorized: true,
	}
}

// AppChanged is what Authorized says of a pair of another App than that of spec.app, with what is in the way of a login by that
// one; nil when nothing is.
func AppChanged(token *v1alpha1.GitHubUserToken, inTheWay *problem.Problem) string {
	message := Verdict(v1alpha1.ReasonAppChanged) + " Nothing refreshes it. "
	if inTheWay == nil {
		return message + WhatToDo(token)
	}
	return message + "In the way of a login by the App of spec.app: " + inTheWay.Message
}

// OfSeed is what conditions say of the verdict on a login while the chain before it goes on.
func OfSeed(token *v1alpha1.GitHubUserToken, reason string) string {
	if reason == v1alpha1.ReasonOutcomeUnknown {
		return "The refresh token of a newer login was sent to GitHub, no answer is known, and the seed does not hold it any more, so the chain before it goes on. Put that refresh token back to have it tried once more. Or: " + WhatToDo(token)
	}
	return fmt.Sprintf("The newer login in the seed was refused (%s), so the chain before it goes on. %s", reason, WhatToDo(token))
}

// Again says when a token that GitHub has refused is presented once more; empty when it is not.
func Again(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return fmt.Sprintf(" GitHub is known to refuse a good token now and then, so the operator presents it once more at %s; set the annotation %s to a new value to have that done now.",
		Time(at), v1alpha1.AnnotationRefreshRequestedAt)
}

// NotOwned is the problem of a Secret that stands in the pair's place.
func NotOwned(secret string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonSecretNotOwned, Stalled: true,
		Message: fmt.Sprintf("Secret %q exists and belongs to somebody else, so it is not touched. Delete it, or choose another spec.secret.name.", secret),
	}
}

// OfFormer is the problem of a pair in the pair's place that a former resource of the name has left, and that this one cannot take up.
func OfFormer(secret string, sameApp bool) *problem.Problem {
	why := "it is of another login than the seed of this one, or a copy of that Secret"
	if !sameApp {
		why = "it is of another App than spec.app"
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonSecretNotOwned, Stalled: true,
		Message: fmt.Sprintf("Secret %q holds the pair of a former resource of this name, and is not taken up: %s. To go on with it, give this resource the App and the seed of the former one. To begin anew, delete the Secret, or choose another spec.secret.name.", secret, why),
	}
}

// BackupNotOwned is the problem of a Secret that stands in the place of the pair's backup.
func BackupNotOwned(secret string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonSecretNotOwned, Stalled: true,
		Message: fmt.Sprintf("Secret %q belongs to somebody else, so it is not touched. The operator needs that name for a copy of the pair while its Secret is put back. Delete it.", secret),
	}
}

// CodeNotRemoved is the problem of a device code that is of no more use and whose Secret could not be removed.
func CodeNotRemoved(err error) *problem.Problem {
	denied, next := errors.Is(err, rotation.ErrDenied), "It is tried again."
	if denied {
		next = "Change what refuses it, or delete the Secret yourself."
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonAPIServerUnavailable, Aside: true, Transient: !denied,
		Message: "The Secret of a device code that is of no more use could not be removed: " + Of(err) + ". " + next + " The token itself is refreshed.",
	}
}

// Time is how conditions write a time.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Duration is how conditions write a length of time: whole seconds, and no zeros at the end.
func Duration(d time.Duration) string {
	text := d.Round(time.Second).String()
	if short, cut := strings.CutSuffix(text, "m0s"); cut {
		text = short + "m"
	}
	if short, cut := strings.CutSuffix(text, "h0m"); cut {
		text = short + "h"
	}
	return text
}

// Sentence makes a sentence of an error's text.
func Sentence(text string) string {
	if text == "" {
		return ""
	}
	if first, _, _ := strings.Cut(text, " "); strings.Contains(first, ".") || strings.HasSuffix(first, ":") {
		return text + "." // It begins with the name of a host, which may have no dot: "localhost:8443: …".
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// Of is the text of an error; empty when there is none.
func Of(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
