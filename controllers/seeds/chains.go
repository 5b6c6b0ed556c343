package seeds

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Chain names the resource that controls a pair Secret.
type Chain struct {
	// Namespace is that of both.
	Namespace string
	// Owner and UID are those of the resource.
	Owner string
	UID   types.UID
	// Ref and Version are those of the pair Secret.
	Ref     rotation.Ref
	Version string
	// Bound reports that the chain is the resource's own, even if an old state of it, and not one that it was given by a copy
	// or a backup.
	Bound bool
	// Pending reports that the token is being imported, or that it was and the outcome is not known; otherwise the chain
	// goes back to it or stands at it.
	Pending bool
}

// ChainOf is the chain of a pair Secret that is indexed under the token.
func ChainOf(pair *rotation.Pair, token credential.Fingerprint) Chain {
	imported := slices.ContainsFunc(pair.State.Seeds, func(seed rotation.SeedRecord) bool { return seed.Fingerprint == token && seed.RefusedFor == "" })
	return Chain{
		Namespace: pair.Owner.Namespace, Owner: pair.Owner.Name, UID: types.UID(pair.Owner.UID), Ref: pair.Ref, Version: pair.Version,
		Bound:   pair.State.Owner == pair.Owner.UID || pair.State.Owner == rotation.RolledBack,
		Pending: pair.State.PendingSeed == token && pair.State.RefreshToken != token && !imported,
	}
}

// maxChainTokens is by how many tokens a pair Secret is indexed: as many as the state remembers logins, the one being
// imported, and the one that it holds. A state with more was not written by the operator.
const maxChainTokens = rotation.MaxSeeds + 2

// maxFingerprint is how long a fingerprint may be that counts; see credential.Fingerprint.
const maxFingerprint = 32

// ChainTokens are the fingerprints by which pair Secrets are indexed: of the refresh token that the chain holds, of a
// login being imported, and of the logins that it was imported from. Logins that were refused are none of them: others
// may try those with another App. The state may be nil. Anybody may have written it, so that what is taken of it is
// bounded.
func ChainTokens(state *rotation.State) []string {
	if state == nil {
		return nil
	}
	var tokens []string
	add := func(fingerprint credential.Fingerprint) {
		if text := string(fingerprint); text != "" && len(text) <= maxFingerprint && len(tokens) < maxChainTokens && !slices.Contains(tokens, text) {
			tokens = append(tokens, text)
		}
	}
	add(state.RefreshToken)
	add(state.PendingSeed)
	for _, seed := range slices.Backward(state.Seeds) { // The newest stand last.
		if seed.RefusedFor == "" {
			add(seed.Fingerprint)
		}
	}
	return tokens
}

// chainOwner is another resource whose stored chain goes back to the token or stands at it now; nil when there
// is none.
func (o *Ownership) chainOwner(ctx context.Context, uid types.UID, fingerprint credential.Fingerprint) (*types.NamespacedName, error) {
	chains, err := o.options.Chains(ctx, fingerprint)
	if err != nil {
		return nil, fmt.Errorf("look for other chains of the same refresh token: %w", err)
	}
	others := slices.DeleteFunc(slices.Clone(chains), func(c Chain) bool { return c.UID == uid })
	if len(others) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(others, func(a, b Chain) int { // A cache has them in any order; the status names one.
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Owner, b.Owner))
	})
	return &types.NamespacedName{Namespace: first.Namespace, Name: first.Owner}, nil
}
