package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// restore puts the pair back after its Secret was deleted. Nothing is exchanged.
func (r *Reconciler) restore(ctx context.Context, v *view) (*obstacle, error) {
	restored, err := r.Rotator.Restore(ctx, v.owner, v.ref)
	switch {
	case err == nil:
		r.memories.remember(v.token.UID, restored)
		r.memories.backupIsGone(v.token.UID, v.backup)
		v.pair, v.pairMeta = withoutTokens(restored), nil
		return nil, nil
	case errors.Is(err, rotation.ErrNotOwned), errors.Is(err, rotation.ErrExists):
		return notOwned(v), nil
	case errors.Is(err, rotation.ErrTerminating):
		return &obstacle{reason: v1alpha1.ReasonNamespaceTerminating, stalled: true, message: "The namespace is being deleted; nothing is exchanged."}, nil
	case errors.Is(err, rotation.ErrNotFound), errors.Is(err, rotation.ErrConflict):
		// The cache lags behind: the next event brings what is new.
		r.memories.doubt(v.token.UID)
		return &obstacle{reason: v1alpha1.ReasonExchanging, message: "The pair Secret is being put back.", next: v.now.Add(200 * time.Millisecond)}, nil
	default:
		return nil, fmt.Errorf("put the pair back: %w", err)
	}
}

// adopt takes up the pair that a deleted resource of this name has left.
func (r *Reconciler) adopt(ctx context.Context, v *view) (*obstacle, error) {
	adopted, err := r.Rotator.Adopt(ctx, v.owner, v.pair)
	if err != nil {
		return nil, err
	}
	r.memories.remember(v.token.UID, adopted)
	v.pair, v.pairMeta = withoutTokens(adopted), nil
	return nil, nil
}

func notOwned(v *view) *obstacle {
	return &obstacle{
		reason: v1alpha1.ReasonSecretNotOwned, stalled: true,
		message: fmt.Sprintf("Secret %q exists and belongs to somebody else, so it is not touched. Delete or rename it, or choose another spec.secret.name.", v.ref.Name),
	}
}
