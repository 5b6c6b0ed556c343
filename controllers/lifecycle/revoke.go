package lifecycle

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
)

// revokeLogin ends the login whose end is asked for.
func (c *Controller) revokeLogin(ctx context.Context, s *scope.Scope) Result {
	switch step, err := c.requests.Advance(ctx, s); {
	case err != nil:
		return c.notes.failed(s, err, "The end of this login was asked for in the name of its account, and that could not be written down")
	case step.Again:
		return Result{State: Again}
	case step.Started:
		return Result{State: Started}
	default:
		return blocked(step.Problem)
	}
}
