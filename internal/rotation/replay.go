package rotation

import (
	"context"
	"errors"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// Replay commits a reply that an earlier life of this process kept and did not commit. Any replica may do
// it, leader or not, at any time: it commits only over the very token that the reply was got for. It
// returns when the pair is stored, or is found to be stored, or is of no more use.
func (r *Rotator) Replay(ctx context.Context, app github.App, record Record) Result {
	ctx = context.WithoutCancel(ctx)
	defer r.atWork.Begin(record.ID, record.Spent)()
	tokens, err := record.Reply.Tokens()
	result := Result{Outcome: Unknown, Err: err} // The intent is still there and is resolved in the ordinary way.
	failure, isKnown := errors.AsType[*github.Error](err)
	switch {
	case err == nil:
		result = r.store(ctx, app, Policy{}, record, tokens, nil)
	case record.endsChain() && !tokens.AccessToken.IsZero():
		result = r.storeHalf(ctx, app, Policy{}, record, tokens, nil, err)
	case record.Attempt != "" && isKnown && failure.EndsCode(): // A code is not sent again to find that out.
		refused := finding{spent: record.Spent, app: record.App, intentID: record.ID, attempt: record.Attempt, why: string(failure.Reason)}
		if settled, unwritten := r.condemn(ctx, record.Owner, record.Ref, &refused, Result{Outcome: Rejected, Err: failure}, UnwrittenVerdict); unwritten == nil {
			result = settled
		}
	}
	_ = r.Outbox.Remove(record.ID)
	return result
}
