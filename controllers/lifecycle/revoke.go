package lifecycle

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// revokeLogin ends the login whose person asks for it.
func (c *Controller) revokeLogin(ctx context.Context, s *scope.Scope) Result {
	switch step, err := c.requests.Advance(ctx, s); {
	case err != nil:
		return c.notes.failed(s, err, "The person of the account has asked for the end of this login, and that could not be written down")
	case step.Again:
		return Result{State: Again}
	case step.Started:
		return Result{State: Started}
	default:
		return blocked(step.Problem)
	}
}
