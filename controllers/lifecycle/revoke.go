package lifecycle

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// revokeLogin ends the login that is to end.
func (c *Controller) revokeLogin(ctx context.Context, s *scope.Scope) Result {
	switch step, err := c.requests.Advance(ctx, s); {
	case err != nil:
		return c.notes.failed(s, err, "This login is to end, and that could not be written down")
	case step.Again:
		return Result{State: Again}
	case step.Started:
		return Result{State: Started}
	default:
		return blocked(step.Problem)
	}
}

// resolve settles an exchange of unknown outcome. A login whose end is asked for waits for that, but not for somebody to change something
// without which nothing can be exchanged: what is known of it is revoked then.
func (c *Controller) resolve(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	result := c.exchanges.begin(ctx, s, decision)
	if s.Input.RevocationAsked && !s.Pair.State.Login.IsAsked() && result.Problem != nil && result.Problem.Stalled {
		return c.revokeLogin(ctx, s)
	}
	return result
}
