package words

import (
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// LastCall is from when on somebody is asked to log in whose access token ends without anything to refresh it: when it would be
// refreshed otherwise.
func LastCall(state *rotation.State) time.Time {
	return state.ExpiresAt.Add(-state.ExpiresAt.Sub(state.IssuedAt) / 4)
}

// Ending is the problem of an access token that expires, and that nothing can refresh; nil when it does not, or something can.
// A verdict says more.
func Ending(token *v1alpha1.GitHubUserToken, state *rotation.State, now time.Time) *problem.Problem {
	if state == nil || !state.HasToken() || state.RefreshToken != "" || !state.Expires() || state.Verdict != nil {
		return nil
	}
	p := &problem.Problem{Reason: v1alpha1.ReasonRefreshTokenNotIssued, Stalled: true, Unauthorized: true}
	why := "GitHub gave out the access token without a refresh token"
	if state.Incomplete { // Somebody has taken it away with the state that knew of it, or it never was.
		p.Reason, why = v1alpha1.ReasonRefreshTokenMissing, "There is no refresh token beside the access token"
	}
	if !now.Before(state.ExpiresAt) {
		p.Message = why + ", and it has expired. " + WhatToDo(token)
		return p
	}
	p.Message = fmt.Sprintf("%s, so it cannot be refreshed and ends for good at %s. A person has to log in again before then. ", why, Time(state.ExpiresAt))
	if token.Spec.HasLoginMethod(v1alpha1.LoginMethodDeviceFlow) && now.Before(LastCall(state)) {
		p.Message += fmt.Sprintf("The operator offers a code to enter at GitHub from %s on, or as soon as the annotation %s is set to a new value.",
			Time(LastCall(state)), v1alpha1.AnnotationRefreshRequestedAt)
	} else {
		p.Message += WhatToDo(token)
	}
	return p
}
