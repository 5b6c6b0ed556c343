package controllers

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// statusOf is the whole status of a resource, from what is known of it now. It is a pure function: a status
// that was lost or edited comes out the same.
func statusOf(v *view, decision rotation.Decision, stop *obstacle) *v1alpha1.GitHubUserTokenStatus {
	status := v.token.Status.DeepCopy()
	stop = steady(status.NextRefreshTime, v.now, stop)
	status.ObservedGeneration = v.token.Generation
	describePair(status, v)
	status.NextRefreshTime = timeOf(nextRefreshTime(v, decision, stop))
	setCondition(v, status, readyCondition(v, stop))
	setCondition(v, status, authorizedCondition(v, stop))
	if v.handoff != nil {
		status.LastHandoffTime = v.handoff.lastHandoff
	}
	shown := stop
	if stop == nil || stop.reason == v1alpha1.ReasonSuspended {
		shown = v.aside
	}
	setOrRemove(v, status, v1alpha1.ConditionReconciling, shown != nil && !shown.stalled, shown)
	setOrRemove(v, status, v1alpha1.ConditionStalled, shown != nil && shown.stalled, shown)
	return status
}

// steady keeps the time of the next try that the status tells already when a fresh estimate is about the
// same: an estimate that moves a little at each look must not make each look a write.
func steady(told *metav1.Time, now time.Time, stop *obstacle) *obstacle {
	if stop == nil || stop.next.IsZero() || told == nil || !told.After(now) {
		return stop
	}
	tolerance := max(2*time.Second, stop.next.Sub(now)/10)
	if stop.next.Sub(told.Time).Abs() > tolerance {
		return stop
	}
	kept := *stop
	kept.next = told.Time
	return &kept
}

// describePair copies what is known of the stored pair.
func describePair(status *v1alpha1.GitHubUserTokenStatus, v *view) {
	status.SecretName, status.RefreshCount, status.User, status.Authorization = "", 0, nil, nil
	status.AccessTokenExpirationTime, status.RefreshTokenExpirationTime, status.LastRefreshTime = nil, nil, nil
	state := v.stored()
	if state == nil {
		return
	}
	if user := state.User; user != nil {
		status.User = &v1alpha1.User{Login: user.Login, ID: user.ID}
	}
	if device := v.device.offered; device != nil {
		status.Authorization = &v1alpha1.Authorization{
			UserCode: device.UserCode, VerificationURI: device.VerificationURI, ExpirationTime: *timeOf(device.ExpiresAt),
		}
	}
	if !state.HasToken() {
		return
	}
	status.SecretName = v.ref.Name
	status.RefreshCount = state.RefreshCount
	status.AccessTokenExpirationTime = timeOf(state.ExpiresAt)
	status.RefreshTokenExpirationTime = timeOf(state.RefreshTokenExpiresAt)
	status.LastRefreshTime = timeOf(state.IssuedAt)
}

// stored is the state of the pair, when there is one and it is ours.
func (v *view) stored() *rotation.State {
	if v.pair == nil || !v.pair.Controlled {
		return nil
	}
	return &v.pair.State
}

func nextRefreshTime(v *view, decision rotation.Decision, stop *obstacle) time.Time {
	state := v.stored()
	switch {
	case stop != nil && !stop.next.IsZero():
		return stop.next
	case stop != nil && !stop.beside && stop.reason != v1alpha1.ReasonRefreshBeforeTooLong:
		return time.Time{}
	case decision.Action == rotation.ActionNone && state != nil && state.Expires():
		return v.input.Policy.DueAt(state)
	default:
		return time.Time{}
	}
}

func readyCondition(v *view, stop *obstacle) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	state := v.stored()
	switch {
	case state != nil && state.Owner != string(v.token.UID) && state.Owner != "":
		condition.Reason, condition.Message = v1alpha1.ReasonPairUnproven, "The pair Secret was restored from elsewhere; it is being found out whether its pair is the current one."
		if stop != nil {
			condition.Reason, condition.Message = stop.reason, stop.withNext()
		}
	case state != nil && state.HasToken() && endsAccessToken(state) && state.Verdict == nil:
		condition.Reason, condition.Message = v1alpha1.ReasonAccessTokenEnded, accessTokenEnded
		if stop != nil && stop.reason != condition.Reason {
			condition.Message += " " + stop.withNext()
		} else if stop != nil {
			condition.Message = stop.withNext()
		}
	case state != nil && state.HasToken() && endsAccessToken(state):
		condition.Reason = state.Verdict.Reason
		condition.Message = verdictWords[state.Verdict.Reason] + " " + whatToDo(v.token)
	case state != nil && state.HasToken() && !state.Expires():
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonTokenDoesNotExpire
		condition.Message = "The access token does not expire: expiry is switched off in the App, so there is nothing to refresh."
	case state != nil && state.HasToken() && v.now.Before(state.ExpiresAt):
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonTokenValid
		condition.Message = fmt.Sprintf("The access token works until %s.", clockTime(state.ExpiresAt)) + holdNote(v)
		if v.input.Policy.TooLong(state) {
			condition.Reason = v1alpha1.ReasonRefreshBeforeTooLong
			condition.Message += fmt.Sprintf(" spec.refreshBefore (%s) is not shorter than the token's lifetime (%s), so a quarter of the lifetime is used: choose a shorter one, or leave it out.",
				v.input.Policy.RefreshBefore, state.ExpiresAt.Sub(state.IssuedAt))
		}
	case stop != nil:
		condition.Reason, condition.Message = stop.reason, stop.withNext()
		if state != nil && state.HasToken() {
			condition.Message = fmt.Sprintf("The access token expired at %s. %s", clockTime(state.ExpiresAt), condition.Message)
		}
	case state != nil && state.HasToken():
		condition.Reason = v1alpha1.ReasonTokenExpired
		condition.Message = fmt.Sprintf("The access token expired at %s.", clockTime(state.ExpiresAt))
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonPending, "No exchange has been made yet."
	}
	return condition
}

// seedUnusable begins what Authorized says of a seed that does not matter at present.
const seedUnusable = " The seed cannot be used, which does not matter until a new login is needed: "

// tellsOfSeed says whether the status tells of a seed that cannot be used. After a start this is looked at
// anew before the watch has heard of the seed, so that the report does not change to and fro.
func tellsOfSeed(token *v1alpha1.GitHubUserToken) bool {
	authorized := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorized)
	return authorized != nil && strings.Contains(authorized.Message, seedUnusable)
}

// accessTokenEnded is what Ready says of an access token that GitHub does not take any more.
const accessTokenEnded = "GitHub does not take the access token any more. A new one is got with the refresh token, if that did not end with it."

// endsAccessToken says whether the access token is known to be dead. An exchange ends it with the refresh token, whether
// or not its reply arrives; when the first half of a reply arrived, its access token is stored without a refresh
// token. A refusal alone does not tell: the refresh token may have expired.
func endsAccessToken(state *rotation.State) bool {
	return state.AccessTokenEnded || state.Verdict != nil && state.Verdict.Reason == v1alpha1.ReasonReplyLost && state.RefreshToken != ""
}

func authorizedCondition(v *view, stop *obstacle) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionAuthorized, Status: metav1.ConditionTrue}
	state := v.stored()
	switch {
	case stop != nil && stop.unauthorized:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, stop.reason, stop.message
	case state != nil && state.Verdict != nil:
		human := needsHuman(v.token, state.Verdict.Reason)
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, human.reason, human.message
	case v.failure != nil && v.failure.ambiguous, v.pair != nil && v.pair.Controlled && v.pair.Intent != nil:
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown
		condition.Message = "Nobody knows yet whether GitHub made the last exchange: its answer did not arrive. It is being found out."
	case state != nil && state.AccessTokenEnded:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionUnknown, v1alpha1.ReasonAccessTokenEnded, accessTokenEnded
	case state == nil || (!state.HasToken() && state.RefreshToken == ""):
		condition.Status, condition.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNotYetExchanged
		condition.Message = "The refresh token has not been tried yet."
		if v.token.Spec.RefreshTokenRef == nil {
			condition.Message = "Nobody has authorized the App yet."
		}
	case state.RefreshToken == "":
		condition.Reason, condition.Message = v1alpha1.ReasonNoRefreshToken, "No refresh token is needed: the access token does not expire."
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonRefreshTokenValid, "The refresh token is believed to be good."
		if state.SeedVerdict != nil {
			condition.Message += fmt.Sprintf(" The newer login in the seed was refused (%s), so the chain before it goes on. %s", state.SeedVerdict.Reason, whatToDo(v.token))
		} else if v.seed.problem != nil {
			condition.Message += seedUnusable + v.seed.problem.message
		}
	}
	return condition
}

func setOrRemove(v *view, status *v1alpha1.GitHubUserTokenStatus, kind string, present bool, stop *obstacle) {
	if !present {
		meta.RemoveStatusCondition(&status.Conditions, kind)
		return
	}
	setCondition(v, status, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: stop.reason, Message: stop.withNext()})
}

func setCondition(v *view, status *v1alpha1.GitHubUserTokenStatus, condition metav1.Condition) {
	condition.ObservedGeneration = v.token.Generation
	condition.LastTransitionTime = *timeOf(v.now)
	meta.SetStatusCondition(&status.Conditions, condition)
}

// obstacleOf puts what Decide found in the way into words.
func (r *Reconciler) obstacleOf(v *view, decision rotation.Decision) *obstacle {
	switch decision.Obstacle {
	case rotation.ObstacleNotOwned:
		return notOwned(v)
	case rotation.ObstacleSuspended:
		return &obstacle{reason: v1alpha1.ReasonSuspended, message: "spec.suspend stops all exchanges."}
	case rotation.ObstacleVerdict:
		return needsHuman(v.token, v.pair.State.Verdict.Reason)
	case rotation.ObstacleAppChanged:
		return needsHuman(v.token, v1alpha1.ReasonAppChanged)
	case rotation.ObstacleUnproven:
		return needsHuman(v.token, v1alpha1.ReasonPairUnproven)
	case rotation.ObstacleNoSeed:
		if v.seed.problem != nil {
			return v.seed.problem
		}
		return needsHuman(v.token, v1alpha1.ReasonRefreshTokenMissing)
	case rotation.ObstacleForeignIntent:
		return &obstacle{
			reason: v1alpha1.ReasonOutcomeUnknown, next: decision.At,
			message: "Another replica has begun an exchange. It is left alone for as long as it can still be at work.",
		}
	case rotation.ObstacleTokenEnded:
		return &obstacle{
			reason: v1alpha1.ReasonAccessTokenEnded, next: decision.At,
			message: "GitHub does not take the access token any more, as a short time ago it did not take the one before. A new one is got in due time.",
		}
	case rotation.ObstacleBackoff:
		return &obstacle{reason: v.failure.reason, message: v.failure.message, next: v.input.NotBefore}
	default:
		return nil
	}
}

// timeOf is a time of the API: whole seconds; nil for none.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC().Truncate(time.Second)}
}

func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
