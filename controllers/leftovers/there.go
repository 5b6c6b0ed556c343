package leftovers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// StillThere is the first of some Secrets that holds a pair which goes with a resource; nil when none does. The cache may show
// for a while one that was removed or let go of, so what it shows is looked at live.
func StillThere(
	ctx context.Context, uid types.UID, refs []rotation.Ref,
	cached func(context.Context, rotation.Ref) (*rotation.Pair, error), live func(context.Context, rotation.Ref) (*rotation.Pair, error),
) (*rotation.Ref, error) {
	for _, ref := range refs {
		pair, err := cached(ctx, ref)
		if err != nil {
			return nil, err
		}
		if pair == nil || !pair.GoesWith(string(uid)) {
			continue
		}
		pair, err = live(ctx, ref)
		switch {
		case errors.Is(err, rotation.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("look whether the pair is still there: %w", err)
		case pair.GoesWith(string(uid)):
			return &ref, nil
		}
	}
	return nil, nil
}

// IsInTheWay reports whether a Secret of somebody else keeps a pair from being put back whose Secret was deleted. What was let go of
// under the backup's name is the pair itself.
func IsInTheWay(ctx context.Context, owner rotation.Owner, ref rotation.Ref, live func(context.Context, rotation.Ref) (*rotation.Pair, error)) (bool, error) {
	pair, err := live(ctx, ref)
	if errors.Is(err, rotation.ErrNotFound) || err == nil && !pair.Deleting {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	backup, err := live(ctx, owner.BackupRef())
	if errors.Is(err, rotation.ErrNotFound) {
		return false, nil
	}
	return err == nil && !IsForsaken(backup, owner.Name) && !backup.GoesWith(owner.UID), err
}
