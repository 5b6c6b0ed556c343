package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// confirmPoll is how often the cache is looked at for a fence that was just written. It mostly is there in a few
// milliseconds.
const confirmPoll = 10 * time.Millisecond

// errNotShown says that the cache has not shown a fence in time.
var errNotShown = errors.New("the cache has not shown the fence in time")

// confirmer confirms whose the token of a login is before it is sent.
type confirmer struct {
	cache Cache
	clock rotation.Clock
}

// owner finds out whether another resource has the token of a login whose fence was just written. It waits until
// the cache shows that fence. The events of one watch come in the order of the writes, so that by then the cache shows
// every chain and every fence that was written before, and of two that fence one token the later one sees the earlier.
func (c confirmer) owner(ctx context.Context, job rotation.Job, fenced *rotation.Pair) error {
	since := fenced.Version
	if before := job.Pair; before != nil && before.State.PendingSeed == fenced.Intent.Spends {
		since = before.Version // The token has stood there since an earlier try.
	}
	pending := errNotShown
	for {
		shown, err := c.isShown(ctx, fenced)
		if err != nil {
			return err
		}
		if shown {
			if pending, err = c.othersWith(ctx, fenced, since); pending == nil || err != nil {
				return err
			}
		}
		if c.clock.Sleep(ctx, confirmPoll) != nil {
			return pending
		}
	}
}

// isShown reports whether the cache shows a fence, or what came after it.
func (c confirmer) isShown(ctx context.Context, fenced *rotation.Pair) (bool, error) {
	cached, err := c.cache.Secret(ctx, fenced.Ref)
	if cached == nil || err != nil {
		return false, err
	}
	return cached.Intent != nil && cached.Intent.ID == fenced.Intent.ID || isOlder(fenced.Version, cached.Version), nil
}

// othersWith looks for other resources that have the fenced token. err is ErrTokenInUse when one had it first. Of one that
// was written after the fence nobody can tell that here: it sees the fence and gives way, unless it was only touched.
// So it is waited for, and pending is ErrTokenInUse, which counts if it stays.
func (c confirmer) othersWith(ctx context.Context, fenced *rotation.Pair, since string) (pending, err error) {
	chains, err := c.cache.ChainsWith(ctx, fenced.Intent.Spends)
	if err != nil {
		return errNotShown, err
	}
	for _, chain := range chains {
		if chain.UID == types.UID(fenced.Owner.UID) {
			continue
		}
		pending = fmt.Errorf("%w: GitHubUserToken %s/%s", rotation.ErrTokenInUse, chain.Namespace, chain.Owner)
		if !chain.Pending || !isOlder(since, chain.Version) {
			return pending, pending
		}
	}
	return pending, nil
}
