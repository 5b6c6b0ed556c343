package seeds

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// confirmPoll is how often the cache is looked at for a fence that was just written. It mostly is there in a few
// milliseconds.
const confirmPoll = 10 * time.Millisecond

// errNotShown says that the cache has not shown a fence in time.
var errNotShown = errors.New("the cache has not shown the fence in time")

// Confirmer confirms whose the token of a login is before it is sent.
type Confirmer struct {
	// Cache may lag behind.
	Cache interface {
		// Secret is the metadata of a Secret of the operator's; nil when the cache has none of that name.
		Secret(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
		// ChainsWith is OwnershipOptions.Chains.
		ChainsWith(ctx context.Context, token credential.Fingerprint) ([]Chain, error)
	}
	Clock rotation.Clock
}

// Confirm finds out whether another resource has the token of a login whose fence was just written. It waits until
// the cache shows that fence. The events of one watch come in the order of the writes, so that by then the cache shows
// every chain and every fence that was written before, and of two that fence one token the later one sees the earlier.
func (c Confirmer) Confirm(ctx context.Context, job rotation.Job, fenced *rotation.Pair) error {
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
		if c.Clock.Sleep(ctx, confirmPoll) != nil {
			return pending
		}
	}
}

// isShown reports whether the cache shows a fence, or what came after it.
func (c Confirmer) isShown(ctx context.Context, fenced *rotation.Pair) (bool, error) {
	cached, err := c.Cache.Secret(ctx, fenced.Ref)
	if cached == nil || err != nil {
		return false, err
	}
	return cached.Intent != nil && cached.Intent.ID == fenced.Intent.ID || isOlder(fenced.Version, cached.Version), nil
}

// othersWith looks for other resources that have the fenced token. err is ErrTokenInUse when one had it first. Of one that
// was written after the fence nobody can tell that here: it sees the fence and gives way, unless it was only touched.
// So it is waited for, and pending is ErrTokenInUse, which counts if it stays.
func (c Confirmer) othersWith(ctx context.Context, fenced *rotation.Pair, since string) (pending, err error) {
	chains, err := c.Cache.ChainsWith(ctx, fenced.Intent.Spends)
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

// isOlder compares two resourceVersions of Secrets. Versions that cannot be compared count as not older.
func isOlder(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}
