package lifecycle

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/explain"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// act does what was decided, or says what stands in the way.
func (c *Controller) act(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	switch decision.Action {
	case rotation.ActionRecover:
		return c.pairs.recoverState(ctx, s)
	case rotation.ActionMove:
		return c.pairs.move(ctx, s)
	case rotation.ActionRestore:
		return c.pairs.restore(ctx, s)
	case rotation.ActionTakeUp:
		return c.pairs.takeUp(ctx, s)
	case rotation.ActionAdopt, rotation.ActionProve:
		return c.takeUpForeign(ctx, s, decision)
	case rotation.ActionDisown:
		return c.pairs.disown(ctx, s)
	case rotation.ActionGiveUp:
		return c.pairs.giveUp(ctx, s)
	case rotation.ActionRevoke:
		return c.revokeLogin(ctx, s)
	case rotation.ActionReclaim:
		return c.pairs.reclaim(ctx, s)
	case rotation.ActionOffer:
		if result := c.pairs.offer(ctx, s); s.Web.Refused == "" {
			return result
		}
		return c.act(ctx, s, rules.Decide(s.Input)) // As without the request.
	case rotation.ActionImport:
		return c.importLogin(ctx, s, decision)
	case rotation.ActionResolve:
		return c.resolve(ctx, s, decision)
	case rotation.ActionRefresh, rotation.ActionRedeem:
		return c.exchanges.begin(ctx, s, decision)
	default:
		return c.rest(ctx, s, decision)
	}
}

// importLogin exchanges the token of a seed. Where that is another resource's, what is to be done beside it is done.
func (c *Controller) importLogin(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	result := c.exchanges.begin(ctx, s, decision)
	if result.Problem == nil || result.Problem.Reason != v1alpha1.ReasonRefreshTokenInUse {
		return result
	}
	beside := rules.BesideSeed(s.Input)
	switch beside.Action {
	case rotation.ActionOffer, rotation.ActionRedeem, rotation.ActionRefresh:
		return c.act(ctx, s, beside)
	}
	if result.RequeueAt = backoff.Earliest(result.RequeueAt, beside.At); beside.Action == rotation.ActionWait && beside.Problem != nil {
		result.Problem = explain.Decision(s, beside) // Why its own chain is not renewed comes first.
	}
	return result
}

// takeUpForeign takes up a pair that another resource has had, or asks GitHub about it first, when nobody else holds the same
// refresh token. That is looked at each time before the pair is taken up, and before GitHub is asked: an exchange that
// somebody makes after that ends the access token, and one that was made before has.
func (c *Controller) takeUpForeign(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	if s.Pair.State.Owner != s.Owner.UID {
		if s.Input.Vouched && s.Input.Proof != rules.ProofAlive && c.ownership.LivesOn(ctx, s.Pair) {
			s.Input.Vouched = false // The word may have been copied as well.
			return c.act(ctx, s, rules.Decide(s.Input))
		}
		switch p, err := c.ownership.ClaimPair(ctx, s.Token, s.Pair); {
		case err != nil:
			return c.notes.failed(s, err, "The pair that came from elsewhere was not taken up, because it could not be found out who else has it")
		case p != nil:
			decision.Action, decision.Problem = rotation.ActionBlocked, p
			return c.rest(ctx, s, decision)
		}
	}
	if decision.Action == rotation.ActionProve {
		return c.prover.prove(ctx, s)
	}
	return c.pairs.adopt(ctx, s)
}

// foreignPause is until a Secret that is somebody else's is looked at again: that it is gone is told, but a watch that begins
// anew does not tell of what went meanwhile.
const foreignPause = 5 * time.Minute

// rest is what is done when nothing can be done about the pair: a Secret in its place that nobody wants any
// more is released, and a person may be offered a code.
func (c *Controller) rest(ctx context.Context, s *scope.Scope, decision rotation.Decision) Result {
	p := explain.Decision(s, decision)
	if decision.Problem != nil && decision.Problem.Reason == v1alpha1.ReasonSecretNotOwned {
		if err := c.releaser.ReleaseFormer(ctx, s); err != nil {
			return c.notes.failed(s, err, "The Secret of a former resource of this name could not be released")
		}
		result := blocked(p)
		result.RequeueAt = s.Now.Add(foreignPause)
		return result
	}
	step := c.device.Advance(logr.FromContextOrDiscard(ctx), s, decision, p)
	s.Link = c.logins.Link(s, step.Needed)
	result := blocked(webflow.Explain(s, step.Problem))
	result.Offered, result.RequeueAt = step.Offered, backoff.Earliest(result.RequeueAt, step.RequeueAt)
	if step.Started {
		result.State = Started
	}
	return result
}
