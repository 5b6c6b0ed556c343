package seeds

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// presumeOlder looks at the seeds of all older resources that have not imported theirs yet and claims for
// them, so that the oldest gets the token whichever is reconciled first. It returns those that it has looked
// at.
func (o *Ownership) presumeOlder(ctx context.Context, token *v1alpha1.GitHubUserToken) (looked []types.UID, err error) {
	mine, settled := claimOf(token, ""), true
	youngest, losses, known := o.claims.horizon()
	if known && compare(mine, youngest) <= 0 {
		return nil, nil
	}
	all, err := o.options.Resources(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for older resources: %w", err)
	}
	for _, other := range all {
		if other.UID == token.UID || other.Spec.RefreshTokenRef == nil || !other.DeletionTimestamp.IsZero() ||
			other.CreationTimestamp.After(mine.created) || known && other.CreationTimestamp.Time.Before(youngest.created) || compare(claimOf(other, ""), mine) > 0 || o.claims.held(other.UID) != "" {
			continue
		}
		hasPair, err := o.options.HasPair(ctx, other)
		if err != nil {
			return looked, fmt.Errorf("look for the pair of an older resource: %w", err)
		}
		if hasPair {
			continue // Its chain is in the index.
		}
		// Perhaps it has not been reconciled yet. What is remembered of a resource is forgotten by its name when
		// it is gone.
		o.options.Memory.Learn(other.UID, scope.NameOf(other))
		looked = append(looked, other.UID)
		found, _, err := o.options.Reader.Read(ctx, other)
		if err != nil {
			return looked, err
		}
		o.claims.presume(claimOf(other, found.Fingerprint))
		settled = settled && found.Fingerprint != ""
	}
	if settled {
		o.claims.settle(mine, losses)
	}
	return looked, nil
}

// withdrawGone takes back what was presumed for resources that have gone meanwhile: for those that were looked
// at, and for all that stand before others at a token. Nothing else would: a resource that was forgotten while
// its seed was being read would keep the token from everybody for ever.
func (o *Ownership) withdrawGone(ctx context.Context, fingerprint credential.Fingerprint, looked []types.UID) error {
	presumed := slices.Concat(looked, o.claims.presumed(fingerprint))
	if len(presumed) == 0 {
		return nil
	}
	all, err := o.options.Resources(ctx)
	if err != nil {
		return fmt.Errorf("look whether older resources are still there: %w", err)
	}
	gone := make(map[types.UID]bool, len(presumed))
	for _, uid := range presumed {
		gone[uid] = true
	}
	for _, token := range all {
		if gone[token.UID] && token.DeletionTimestamp.IsZero() {
			delete(gone, token.UID)
		}
	}
	for _, uid := range presumed {
		if gone[uid] {
			o.options.Reader.notes.Drop(uid)
			o.wake(o.claims.withdraw(uid))
		}
	}
	return nil
}
