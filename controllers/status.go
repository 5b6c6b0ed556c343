package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/alternation"
	"github.com/githubusertoken/github-user-token-operator/controllers/deviceflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/explain"
	"github.com/githubusertoken/github-user-token-operator/controllers/handoff"
	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// statusOf is the whole status of a resource, from what is known of it now. It is a pure function: a status
// that was lost or edited comes out the same.
//
// aside is what stands in the way of no exchange, and handedOver what is known of the handoff; nil when that was
// not looked at.
func statusOf(s *scope.Scope, decision rotation.Decision, result lifecycle.Result, aside *problem.Problem, handedOver *handoff.Report) *v1alpha1.GitHubUserTokenStatus {
	status := s.Token.Status.DeepCopy()
	stop := steady(status.NextRefreshTime, s.Now, result.Problem)
	status.ObservedGeneration = s.Token.Generation
	readers := s.ForReaders()
	describePair(status, s, result.Offered)
	status.NextRefreshTime = timeOf(nextRefreshTime(s, decision, stop))
	setCondition(s, status, alternation.Ready(s, readyCondition(readers, stop)))
	aside = problem.First(barred(s), aside)
	setCondition(s, status, alternation.Authorized(s, authorizedCondition(s, stop)))
	if handedOver != nil {
		status.LastHandoffTime = handedOver.LastHandoff
	}
	shown := stop
	if stop == nil || stop.Reason == v1alpha1.ReasonSuspended {
		shown = aside // A pause that somebody has asked for is no news; Ready tells of it when it matters.
	}
	setOrRemove(s, status, v1alpha1.ConditionReconciling, shown != nil && !shown.Stalled, shown)
	setOrRemove(s, status, v1alpha1.ConditionStalled, shown != nil && shown.Stalled, shown)
	makeRoom(status)
	return status
}

// makeRoom removes conditions that others have added when there are more than the schema takes. Otherwise they are left alone.
func makeRoom(status *v1alpha1.GitHubUserTokenStatus) {
	if len(status.Conditions) > maxConditions {
		status.Conditions = slices.DeleteFunc(status.Conditions, isForeign)
	}
}

// isForeign reports whether a condition is none of the operator's.
func isForeign(condition metav1.Condition) bool {
	switch condition.Type {
	case v1alpha1.ConditionReady, v1alpha1.ConditionAuthorized, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled:
		return false
	default:
		return true
	}
}

// statusUnknown is the status of a resource of which it could not be found out how it stands: as it was, with the reason, and
// without a token that has expired.
func statusUnknown(token *v1alpha1.GitHubUserToken, p *problem.Problem, now time.Time) *v1alpha1.GitHubUserTokenStatus {
	s := &scope.Scope{Token: token, Now: now}
	status := token.Status.DeepCopy()
	expires := status.AccessTokenExpirationTime
	switch ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); {
	case ready == nil:
		setCondition(s, status, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: p.Reason, Message: p.Message})
	case ready.Status == metav1.ConditionTrue && expires != nil && !now.Before(expires.Time):
		setCondition(s, status, metav1.Condition{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTokenExpired,
			Message: fmt.Sprintf("The access token expired at %s. %s", words.Time(expires.Time), p.Message),
		})
	}
	setOrRemove(s, status, v1alpha1.ConditionReconciling, true, p)
	setOrRemove(s, status, v1alpha1.ConditionStalled, false, nil)
	makeRoom(status)
	return status
}

// steady keeps the time of the next try that the status tells already when a fresh estimate is about the
// same: an estimate that moves a little at each look must not make each look a write.
func steady(told *metav1.Time, now time.Time, stop *problem.Problem) *problem.Problem {
	if stop == nil || stop.RetryAt.IsZero() || told == nil || !told.After(now) {
		return stop
	}
	tolerance := max(2*time.Second, stop.RetryAt.Sub(now)/10)
	if stop.RetryAt.Sub(told.Time).Abs() > tolerance {
		return stop
	}
	kept := *stop
	kept.RetryAt = told.Time
	return &kept
}

// describePair copies what is known of the stored pair.
func describePair(status *v1alpha1.GitHubUserTokenStatus, s *scope.Scope, offered *rotation.DeviceAuthorization) {
	status.SecretName, status.RefreshCount, status.User, status.Authorization = "", 0, nil, webflow.Authorization(s)
	status.AccessTokenExpirationTime, status.RefreshTokenExpirationTime, status.LastRefreshTime = nil, nil, nil
	status.WebLogin, status.Login = webflow.Report(s), revokerequest.Report(s)
	if readers := s.ForReaders(); readers.Stored() != nil && readers.Stored().HasToken() {
		status.SecretName, status.AccessTokenExpirationTime = readers.PublishedSecret(), timeOf(readers.ExpiresAt())
	}
	state := s.Stored()
	if state == nil {
		return
	}
	if user := state.User; user != nil && fits(user.Login, maxLogin) && user.ID > 0 {
		status.User = &v1alpha1.User{Login: user.Login, ID: user.ID}
	}
	if device := offered; device != nil && fits(device.UserCode, maxUserCode) && fits(device.VerificationURI, maxPage) && timeOf(device.ExpiresAt) != nil {
		status.Authorization = cmp.Or(status.Authorization, &v1alpha1.Authorization{})
		status.Authorization.UserCode, status.Authorization.VerificationURI, status.Authorization.ExpirationTime = device.UserCode, device.VerificationURI, timeOf(device.ExpiresAt)
	}
	if !state.HasToken() {
		return
	}
	// These are always of the resource's own pair: whether that was put back to an older state is seen by them.
	status.RefreshCount, status.LastRefreshTime = max(0, state.RefreshCount), timeOf(state.IssuedAt)
	status.RefreshTokenExpirationTime = timeOf(state.RefreshTokenExpiresAt)
	if s.Input.RolledBack { // What the status tells is of the newer pair.
		status.LastRefreshTime, status.RefreshCount = s.Token.Status.LastRefreshTime, s.Token.Status.RefreshCount
	}
}

func nextRefreshTime(s *scope.Scope, decision rotation.Decision, stop *problem.Problem) time.Time {
	state := s.Stored()
	switch {
	case stop != nil && !stop.RetryAt.IsZero():
		return stop.RetryAt
	case stop != nil && !stop.Aside && stop.Reason != v1alpha1.ReasonRefreshBeforeTooLong:
		return time.Time{}
	case s.Input.Turn.Alternates:
		return alternation.NextRefresh(s)
	case decision.Action == rotation.ActionNone && state != nil && state.Expires() && state.RefreshToken != "" && !decision.At.IsZero():
		return decision.At
	case decision.Action == rotation.ActionNone && state != nil && state.Expires() && state.RefreshToken != "":
		return s.Input.Policy.DueAt(state)
	default:
		return time.Time{}
	}
}

func readyCondition(s *scope.Scope, stop *problem.Problem) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	state := s.Stored()
	switch {
	case isReplaced(s, stop):
		condition.Reason, condition.Message = stop.Reason, words.Replaced+" "+stop.Sentence()
	case isUnproven(s):
		condition.Reason, condition.Message = v1alpha1.ReasonPairUnproven, words.Proving
		if stop != nil {
			condition.Reason, condition.Message = stop.Reason, stop.Sentence()
		}
	case state != nil && state.HasToken() && scope.IsAccessTokenDead(state) && state.Verdict == nil:
		condition.Reason, condition.Message = v1alpha1.ReasonAccessTokenEnded, words.AccessTokenEnded
		if stop != nil && stop.Reason != condition.Reason {
			condition.Message += " " + stop.Sentence()
		} else if stop != nil {
			condition.Message = stop.Sentence()
		}
	case state != nil && state.HasToken() && scope.IsAccessTokenDead(state):
		condition.Reason = state.Verdict.Reason
		condition.Message = explain.Verdict(s, state.Verdict.Reason)
	case isBarred(s):
		condition.Reason, condition.Message = s.Standing.Reason, s.Standing.Message
	case state != nil && state.HasToken() && !state.Expires():
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonTokenDoesNotExpire
		condition.Message = "The access token does not expire: expiry is switched off in the App's settings, so there is nothing to refresh." + standingNote(s)
	case state != nil && state.HasToken() && s.Now.Before(s.ExpiresAt()):
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonTokenValid
		condition.Message = fmt.Sprintf("The access token works until %s.", words.Time(s.ExpiresAt())) + clockNote(s) + holdNote(s) + standingNote(s)
		if s.Input.Policy.TooLong(state) {
			condition.Reason = v1alpha1.ReasonRefreshBeforeTooLong
			condition.Message += fmt.Sprintf(" spec.refreshBefore (%s) is not shorter than the token's lifetime (%s), so a quarter of the lifetime is used: choose a shorter one, or leave it out.",
				s.Input.Policy.RefreshBefore, state.ExpiresAt.Sub(state.IssuedAt)+state.Shortened)
		}
	case stop != nil:
		condition.Reason, condition.Message = stop.Reason, stop.Sentence()
		if state != nil && state.HasToken() {
			condition.Message = fmt.Sprintf("The access token expired at %s. %s", words.Time(s.ExpiresAt()), condition.Message)
		}
	case state != nil && state.HasToken():
		condition.Reason = v1alpha1.ReasonTokenExpired
		condition.Message = fmt.Sprintf("The access token expired at %s.", words.Time(s.ExpiresAt()))
	case scope.IsReleased(s.Token):
		condition.Reason, condition.Message = v1alpha1.ReasonPending, words.Released
	case !s.Token.DeletionTimestamp.IsZero():
		condition.Reason, condition.Message = v1alpha1.ReasonPending, "The resource is being deleted."
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonPending, "No exchange has been made yet."
	}
	return condition
}

// isCommitting reports whether a pair has been received that is not stored.
func isCommitting(stop *problem.Problem) bool {
	return stop != nil && stop.Reason == v1alpha1.ReasonCommitting
}

// isReplaced reports whether GitHub has ended the stored access token by giving out a pair that is not stored yet: the exchange has
// spent the stored refresh token. That of another login leaves the stored pair alive.
func isReplaced(s *scope.Scope, stop *problem.Problem) bool {
	state := s.Stored()
	return isCommitting(stop) && state != nil && state.HasToken() && s.Pair.Intent != nil && s.Pair.Intent.Spends == state.RefreshToken
}

// isBarred reports whether there is a token that would work if GitHub let its account do anything.
func isBarred(s *scope.Scope) bool {
	state := s.Stored()
	return s.Standing.IsBarred() && state != nil && state.HasToken() && (!state.Expires() || s.Now.Before(s.ExpiresAt()))
}

// barred is the problem of such a token: somebody must act at GitHub, and no exchange is held up.
func barred(s *scope.Scope) *problem.Problem {
	if !isBarred(s) || isUnproven(s) || scope.IsAccessTokenDead(s.Stored()) {
		return nil
	}
	return &problem.Problem{Reason: s.Standing.Reason, Message: s.Standing.Message, Stalled: true, Aside: true}
}

// standingNote is what else GitHub has said of a token that works.
func standingNote(s *scope.Scope) string {
	if s.Standing.Message == "" {
		return ""
	}
	return " GitHub says of it: " + s.Standing.Message
}

// isUnproven reports whether nobody knows yet whether the pair is the current one.
func isUnproven(s *scope.Scope) bool {
	state := s.Stored()
	return state != nil && (state.Owner != string(s.Token.UID) && state.Owner != "" || s.Input.RolledBack)
}

func authorizedCondition(s *scope.Scope, stop *problem.Problem) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue}
	state := s.Stored()
	isOutcomeUnknown := s.Failure != nil && s.Failure.Ambiguous || s.Pair != nil && s.Pair.Controlled && s.Pair.Intent != nil && !s.IntentUntouched
	switch {
	case stop != nil && stop.Unauthorized:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, stop.Reason, stop.Message
	case isCommitting(stop): // GitHub's answer has arrived, whatever is known of the stored pair.
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, stop.Reason, stop.Message
	case isUnproven(s):
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, v1alpha1.ReasonPairUnproven, words.Proving
	case isOfAnotherApp(s) && !isOutcomeUnknown:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonAppChanged, words.AppChanged(s.Token, stop)
	case state != nil && state.Verdict != nil:
		said := explain.Verdict(s, state.Verdict.Reason)
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, state.Verdict.Reason, said+words.Again(s.AgainAt(state.Verdict))
	case isOutcomeUnknown:
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown
		condition.Message = "GitHub's answer to the last exchange did not arrive, so it is not known yet whether the exchange was made. The operator is finding out."
		if s.Failure == nil && stop != nil && stop.Reason == condition.Reason {
			condition.Message = stop.Message // Somebody is at work, or may be: the answer may still arrive.
		}
	case state != nil && state.AccessTokenEnded:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, v1alpha1.ReasonAccessTokenEnded, words.AccessTokenEnded
	case state == nil && !s.Token.DeletionTimestamp.IsZero():
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonPending
		condition.Message = "The resource is being deleted, and its pair is not there any more."
		if scope.IsReleased(s.Token) {
			condition.Message = words.Released
		}
		if stop != nil {
			condition.Reason = stop.Reason
		}
	case state == nil || (!state.HasToken() && state.RefreshToken == ""):
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotYetExchanged
		condition.Message = "The refresh token has not been tried yet."
		if s.Token.Spec.RefreshTokenRef == nil {
			condition.Message = "Nobody has authorized the App yet."
		}
	case words.Ending(s.Token, state, s.Now) != nil:
		ending := words.Ending(s.Token, state, s.Now)
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, ending.Reason, ending.Message
	case state.RefreshToken == "":
		condition.Reason, condition.Message = v1alpha1.ReasonNoRefreshToken, "No refresh token is needed: the access token does not expire."
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonRefreshTokenValid, "The refresh token is believed to be good."
		if state.SeedVerdict != nil {
			condition.Message += " " + words.OfSeed(s.Token, state.SeedVerdict.Reason) + words.Again(s.AgainAt(state.SeedVerdict))
		} else if s.Seed.Problem != nil {
			condition.Message += " " + seeds.UnusablePrefix + s.Seed.Problem.Message
		}
		condition.Message += webflow.Beside(s)
	}
	if seeds.IsFedBack(s.Seed, state) {
		condition.Message += " " + seeds.FedBack
	}
	if condition.Status == metav1.ConditionTrue || condition.Reason == v1alpha1.ReasonAuthorizationPending {
		condition.Message += deviceflow.Unpinned(s)
	}
	condition.Message += s.Advice
	return condition
}

// isOfAnotherApp reports whether the stored pair is of another App than the one that the resource names now, whatever else is in
// the way of a login by that one: GitHub may not know it.
func isOfAnotherApp(s *scope.Scope) bool {
	state := s.Stored()
	return state != nil && (state.HasToken() || state.RefreshToken != "") && s.Input.App != "" && state.App != s.Input.App
}

func setOrRemove(s *scope.Scope, status *v1alpha1.GitHubUserTokenStatus, kind string, present bool, stop *problem.Problem) {
	if !present {
		meta.RemoveStatusCondition(&status.Conditions, kind)
		return
	}
	setCondition(s, status, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: stop.Reason, Message: stop.Sentence()})
}

func setCondition(s *scope.Scope, status *v1alpha1.GitHubUserTokenStatus, condition metav1.Condition) {
	condition.ObservedGeneration = s.Token.Generation
	condition.Message = shortened(condition.Message)
	condition.LastTransitionTime = *timeOf(s.Now)
	meta.SetStatusCondition(&status.Conditions, condition)
}

// maxMessage is how long a message of a condition may be, in bytes. The API takes 32 KiB, and what others say that is
// quoted in one (the API server, its admission webhooks) may have any length.
const maxMessage = 2 << 10

// shortened is a message that the API takes.
func shortened(message string) string { return shortenedTo(maxMessage, message) }

// shortenedTo is a message of at most so many bytes.
func shortenedTo(most int, message string) string {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= most {
		return message
	}
	const end = " (shortened)"
	return strings.ToValidUTF8(message[:most-len(end)], "") + end
}

// Bounds of the schema. GitHub's values are far below them, but anybody may write into a pair Secret: what exceeds them is not
// told, since the API server would refuse the whole status.
const (
	maxLogin      = 512
	maxUserCode   = 256
	maxPage       = 2048
	maxConditions = 32
)

// fits reports whether a text that the schema requires is one that it takes.
func fits(text string, most int) bool {
	return text != "" && len(text) <= most && utf8.ValidString(text)
}

// timeOf is a time of the API: whole seconds; nil for none, and for one that the API cannot express. Anybody may write
// one into a pair Secret.
func timeOf(t time.Time) *metav1.Time {
	t = t.UTC().Truncate(time.Second)
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	return &metav1.Time{Time: t}
}
