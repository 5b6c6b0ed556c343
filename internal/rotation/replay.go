package rotation

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// Replay commits a reply that an earlier life of this process kept and did not commit. Any replica may do
// it, leader or not, at any time: it commits only over the very token that the reply was got for. It
// returns when the pair is stored, or is found to be stored, or is of no more use.
func (r *Rotator) Replay(ctx context.Context, app github.App, record Record) Result {
	ctx = context.WithoutCancel(ctx)
	defer r.atWork.Begin(record.ID, record.Spent)()
	tokens, err := record.Reply.Tokens()
	if err != nil && record.endsChain() && !tokens.AccessToken.IsZero() {
		result := r.storeHalf(ctx, app, Policy{}, record, tokens, nil, err)
		_ = r.Outbox.Remove(record.ID)
		return result
	}
	if err != nil {
		// The reply brought no pair. The intent is still there and is resolved in the ordinary way.
		_ = r.Outbox.Remove(record.ID)
		return Result{Outcome: Unknown, Err: err}
	}
	result := r.store(ctx, app, Policy{}, record, tokens, nil)
	_ = r.Outbox.Remove(record.ID)
	return result
}
