package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// hiddenPair is a Secret in the pair's place that the cache does not show, since it has no label of ours: somebody else's, or ours
// without its label. Where there is none the watch on named Secrets tells when one comes, so that it is looked for once, however often a
// resource is looked at before it has a pair. That there is none is advice: the creation of the pair tells.
func (o *observer) hiddenPair(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	name := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
	if version, known := o.versions.Version(name); known && version == "" {
		return nil, nil
	}
	hidden, err := o.metadata.Metadata(ctx, ref)
	if errors.Is(err, rotation.ErrNotFound) {
		o.versions.Learn(name, "")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the Secret in the pair's place: %w", err)
	}
	return hidden, nil
}

// formerPairs are the resource's pair Secrets of other names than the spec asks for, the one included that
// was just written and is not in the cache yet.
func (o *observer) formerPairs(ctx context.Context, token *v1alpha1.GitHubUserToken) ([]*rotation.Pair, error) {
	owner, wanted := scope.OwnerOf(token), scope.PairRefOf(token)
	pairs, err := o.cache.PairsOf(ctx, owner)
	if err != nil {
		return nil, fmt.Errorf("look for the pair under a former name: %w", err)
	}
	gone := ""
	o.notes.Peek(token.UID, func(m *note) { gone = m.formerGone })
	var former []*rotation.Pair
	for _, pair := range pairs {
		if pair.Ref != wanted && pair.UID != gone {
			former = append(former, pair)
		}
	}
	if len(former) > 0 {
		return former, nil
	}
	o.notes.Peek(token.UID, func(m *note) {
		if m.latest != nil && m.latest.Ref != wanted && m.latest.Ref != owner.BackupRef() {
			former = append(former, m.latest)
		}
	})
	return former, nil
}

// secretsOf are the Secrets in which a resource may have a pair.
func (o *observer) secretsOf(ctx context.Context, token *v1alpha1.GitHubUserToken) ([]rotation.Ref, error) {
	refs := []rotation.Ref{scope.PairRefOf(token), scope.OwnerOf(token).BackupRef()}
	former, err := o.formerPairs(ctx, token)
	if err != nil {
		return nil, err
	}
	for _, pair := range former {
		refs = append(refs, pair.Ref)
	}
	if token.DeletionTimestamp.IsZero() {
		return refs, nil
	}
	named, err := o.cache.SecretsFor(ctx, scope.NameOf(token)) // The garbage collector may have orphaned one under a former name.
	if err != nil {
		return nil, fmt.Errorf("look for orphaned Secrets: %w", err)
	}
	for _, pair := range named {
		if pair.GoesWith(string(token.UID)) && !slices.Contains(refs, pair.Ref) {
			refs = append(refs, pair.Ref)
		}
	}
	return refs, nil
}

// chainsOf are the pairs of a resource and the Apps that they are of, that of the one included which was just written and is not in the
// cache yet. It remembers nothing.
func (o *observer) chainsOf(ctx context.Context, token *v1alpha1.GitHubUserToken) (pairs []*rotation.Pair, chains []string, err error) {
	refs, err := o.secretsOf(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	o.notes.Peek(token.UID, func(m *note) { pairs = append(pairs, m.latest) })
	for _, ref := range refs {
		pair, err := o.cache.Secret(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		pairs = append(pairs, pair)
	}
	for _, pair := range pairs {
		if pair != nil && pair.GoesWith(string(token.UID)) && pair.State.App != "" && !slices.Contains(chains, pair.State.App) {
			chains = append(chains, pair.State.App)
		}
	}
	return pairs, chains, nil
}

// hasPair reports whether the cache has the pair Secret of a resource.
func (o *observer) hasPair(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error) {
	pair, err := o.cache.Secret(ctx, scope.PairRefOf(token))
	return pair != nil, err
}
