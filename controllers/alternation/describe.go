package alternation

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/turns"
)

// Authorized is the condition of a resource with what there is to say of its two authorizations, given what is said of its own. Of any resource
// but the one that workloads know it is as it was.
func Authorized(s *scope.Scope, own metav1.Condition) metav1.Condition {
	a := s.Alternation
	if a == nil || !a.IsPrimary {
		return own
	}
	first, second := a.Of.Own.Grade(s.Now), a.Of.Other.Grade(s.Now)
	switch isFirst, isSecond := first.IsGood(), second.IsGood(); {
	case isFirst && isSecond:
		if own.Status == metav1.ConditionTrue {
			own.Message += " So is that of the second authorization." + overlap(s)
		}
		return own
	case isFirst:
		own.Status, own.Reason = metav1.ConditionFalse, v1alpha1.ReasonOneAuthorizationOnly
		own.Message = fmt.Sprintf("One of two authorizations is good, so that a call may fail at each refresh. %s", secondMissing(s))
		return own
	case isSecond && own.Status != metav1.ConditionTrue:
		why := "Of the other one: " + own.Message
		if state := s.Stored(); state != nil && a.Pair.State.Login != nil && IsEndedBy(state, a.Pair.State.Login.At) {
			why = fmt.Sprintf(endedByOther, "first", "second") + " Log in once more then: " + own.Message
		}
		own.Message = fmt.Sprintf("One of two authorizations is good, that of GitHubUserToken %q, and its token is published; a call may fail at each refresh. %s", a.Other.Name, why)
		own.Status, own.Reason = metav1.ConditionFalse, v1alpha1.ReasonOneAuthorizationOnly
		return own
	default:
		return own
	}
}

// endedByOther says that two authorizations do not go together.
const endedByOther = "GitHub has ended the %s one when the %s one was made: it lets this account have one authorization of the App. Use the strategy Replace."

// secondMissing says what is lacking of the second authorization, and what to do.
func secondMissing(s *scope.Scope) string {
	other := s.Alternation.Other
	if other == nil {
		return "The GitHubUserToken for the second one is made when the account of the first one is known."
	}
	what := fmt.Sprintf("Log in once more as the same account, for GitHubUserToken %q: its status says how (kubectl ghut login %s).", other.Name, other.Name)
	if endedByLogin(s) {
		return fmt.Sprintf(endedByOther, "second", "first")
	}
	if said := meta.FindStatusCondition(other.Status.Conditions, v1alpha1.ConditionAuthorized); said != nil && said.Status == metav1.ConditionFalse {
		what = fmt.Sprintf("Of the second one, GitHubUserToken %q: %s", other.Name, said.Message)
	}
	return what
}

// endedByLogin reports whether the other chain's tokens ended without an exchange since the login of the own one.
func endedByLogin(s *scope.Scope) bool {
	own, other := s.Stored(), s.Alternation.Pair
	return own != nil && own.Login != nil && other != nil && IsEndedBy(&other.State, own.Login.At)
}

// IsEndedBy reports whether a chain whose tokens GitHub does not take any more had its last pair before a login at a time, and ended after it.
func IsEndedBy(state *rotation.State, login time.Time) bool {
	if login.IsZero() || !state.IssuedAt.Before(login) {
		return false
	}
	return state.AccessTokenEnded || state.Verdict != nil && state.Verdict.Time.After(login) && state.Expires() && state.Verdict.Time.Before(state.ExpiresAt)
}

// overlap says until when the token works that was published before; empty where nobody has one.
func overlap(s *scope.Scope) string {
	plan := s.Input.Turn
	if !plan.Alternates || plan.IsPublished || !s.Now.Before(plan.NotBefore) {
		return ""
	}
	return fmt.Sprintf(" The access token that was published before works until %s at least.", words.Time(plan.NotBefore))
}

// Ready adds to the condition Ready what is to be said of the overlap.
func Ready(s *scope.Scope, ready metav1.Condition) metav1.Condition {
	a := s.Alternation
	if a == nil || !a.IsPrimary || ready.Status != metav1.ConditionTrue {
		return ready
	}
	state := s.ForReaders().Stored()
	if state == nil || !state.Expires() {
		return ready
	}
	lifetime := state.ExpiresAt.Sub(state.IssuedAt)
	if kept, tooLong := turns.OverlapOf(a.Of.Overlap, lifetime); tooLong {
		ready.Reason = v1alpha1.ReasonOverlapTooLong
		ready.Message += fmt.Sprintf(" spec.rotation.overlap (%s) is more than three eighths of the token's lifetime (%s), so %s is kept: choose a shorter one, or leave it out.", a.Of.Overlap, lifetime, kept)
	}
	return ready
}

// NextRefresh is when workloads get another token; zero where the chain is exchanged as if it were alone.
func NextRefresh(s *scope.Scope) time.Time {
	if s.Alternation == nil || !s.Input.Turn.Alternates {
		return time.Time{}
	}
	if !s.Alternation.IsPrimary {
		return s.Input.Turn.DueAt
	}
	if !s.Input.Turn.IsPublished {
		return s.Input.Turn.DueAt
	}
	return scope.ReplacedAt(&s.Pair.State)
}
