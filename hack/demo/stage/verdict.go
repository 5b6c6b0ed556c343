package stage

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// Verdict is what the stand-in says of the tokens of a Change, asked after it was seen.
type Verdict struct {
	// Spent and Replaced are nil if the change has none.
	Spent, Replaced *githubtest.TokenState
	Access          githubtest.TokenState
	// Refresh is nil if the App's token expiry is switched off.
	Refresh *githubtest.TokenState
	// DeadFor is how long the Secret held an access token that worked no more.
	DeadFor time.Duration
}

// Judge asks the stand-in about the tokens of a login or a rotation.
func (g *GitHub) Judge(ctx context.Context, change Change) (Verdict, error) {
	var v Verdict
	var err error
	if v.Access, err = g.State(ctx, change.Access); err != nil {
		return v, err
	}
	for _, ask := range []struct {
		token interface {
			Reveal() string
			IsZero() bool
		}
		into **githubtest.TokenState
	}{{change.Refresh, &v.Refresh}, {change.Spent, &v.Spent}, {change.Replaced, &v.Replaced}} {
		if ask.token.IsZero() {
			continue
		}
		state, err := g.State(ctx, ask.token)
		if err != nil {
			return v, err
		}
		*ask.into = &state
	}
	if v.Replaced != nil && !v.Replaced.Alive && v.Replaced.Cause != NeverIssued {
		v.DeadFor = max(0, change.SeenAt.Sub(v.Replaced.DiedAt))
	}
	return v, nil
}

// IsMadeUp reports whether somebody has put a token into the Secret that GitHub did not issue, so that nothing was exchanged.
func (v Verdict) IsMadeUp() bool {
	return v.Access.Cause == NeverIssued || v.Refresh != nil && v.Refresh.Cause == NeverIssued
}

// Problem says what is not as it must be after a login or a rotation; empty if all is.
func (v Verdict) Problem() string {
	if v.IsMadeUp() {
		return "the Secret holds a token that is " + string(NeverIssued)
	}
	var problems []string
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	complain(!v.Access.Alive, "the new access token is dead (%s)", v.Access.Cause)
	complain(v.Refresh != nil && !v.Refresh.Alive, "the new refresh token is dead")
	complain(v.Replaced != nil && v.Replaced.Alive, "the previous access token is alive")
	complain(v.Replaced != nil && v.Replaced.Cause == githubtest.Expired, "the previous access token expired before it was replaced")
	if v.Spent != nil && v.Spent.Cause != NeverIssued {
		complain(v.Spent.Alive, "the previous refresh token is alive")
		complain(v.Spent.Exchanged != 1 || v.Spent.Presented != 1,
			"the previous refresh token was presented %d and exchanged %d times", v.Spent.Presented, v.Spent.Exchanged)
	}
	return strings.Join(problems, "; ")
}
