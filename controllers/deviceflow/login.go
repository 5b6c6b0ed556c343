package deviceflow

import (
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// login is why a person has to log in.
type login struct {
	// need names what brought it about. It is stored with each code, to tell series apart.
	need string
	// cause says it to the person, in a sentence; empty when there is nothing to add.
	cause string
	// without is the problem where there is no device flow, and before codes are offered.
	without *problem.Problem
	// from is when the first code is offered, and until when there is a token that works; both are zero when that is not
	// waited for.
	from, until time.Time
}

// loginNeeded says why a person has to log in; nil when the resource has, or may yet get, a usable refresh
// token. Nothing else looks at what stands in the way of a decision.
func loginNeeded(s *scope.Scope, decision rotation.Decision, blocked *problem.Problem) *login {
	state := s.Stored()
	if decision.Action != rotation.ActionBlocked && decision.Action != rotation.ActionNone {
		return nil
	}
	switch decision.Rule {
	case rules.NoPair:
		why := &login{need: "NoSeed", without: blocked}
		if s.Seed.Problem != nil {
			why.cause = "Or provide a refresh token instead. " + s.Seed.Problem.Message
		}
		return why
	case rules.Condemned:
		verdict := state.Verdict
		return &login{
			need: "Verdict/" + verdict.Reason + "/" + string(verdict.Fingerprint), without: blocked,
			cause: words.Verdict(verdict.Reason),
		}
	case rules.ChangedApp:
		return &login{need: "AppChanged", cause: words.Verdict(v1alpha1.ReasonAppChanged), without: blocked}
	case rules.Unproven:
		return &login{
			need: "Unproven/" + string(state.AccessToken), without: blocked,
			cause: "The pair Secret was restored from elsewhere, or put back to an older state, and nothing proves that its pair is the current one.",
		}
	}
	if blocked != nil || decision.Action != rotation.ActionNone || state == nil || !state.HasToken() {
		return nil
	}
	if wrong := WrongUser(s); wrong != nil {
		return &login{need: "AnotherUser", cause: anotherUser(state), without: wrong}
	}
	if ending := words.Ending(s.Token, state, s.Now); ending != nil {
		why := &login{
			need: "NoRefreshToken/" + string(state.AccessToken), cause: "The access token has expired, and there is no refresh token.",
			without: ending,
		}
		if s.Now.Before(state.ExpiresAt) {
			why.cause, why.until = "The access token ends at "+words.Time(state.ExpiresAt)+", and there is no refresh token.", state.ExpiresAt
		}
		if asked := s.Input.RefreshRequestedAt; asked == "" || asked == state.RefreshRequestedAt {
			why.from = words.LastCall(state)
		}
		return why
	}
	return nil
}

// WrongUser is the problem of a chain that is known to belong to another account than spec.user, as it may
// after spec.user was changed; nil when it is not. It was good when it was stored, so it is neither revoked nor
// left to expire: who changes spec.user back finds it as it was.
func WrongUser(s *scope.Scope) *problem.Problem {
	pin, state := scope.PinOf(s.Token), s.Stored()
	if pin == nil || state == nil || state.User == nil || scope.Matches(*pin, *state.User) {
		return nil
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonWrongUser, Stalled: true, Unauthorized: true, Aside: true,
		Message: anotherUser(state) + " It is still refreshed, until that account logs in. " + words.WhatToDo(s.Token) + " Or correct spec.user.",
	}
}

func anotherUser(state *rotation.State) string {
	return fmt.Sprintf("The stored pair belongs to %s (id %d), not to the account of spec.user.", state.User.Login, state.User.ID)
}
