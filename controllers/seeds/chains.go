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

// formerTokens is how many of a chain's former refresh tokens count as its own for other resources. Whatever copies them to
// a seed is one token late, or two; the index has to hold each for every chain.
const formerTokens = 2

// maxChainTokens is by how many tokens a pair Secret is indexed: as many as the state remembers logins, the one being
// imported, the one that it holds, and those before. A state with more was not written by the operator.
const maxChainTokens = rotation.MaxSeeds + 2 + formerTokens

// maxFingerprint is how long a fingerprint may be that counts; see credential.Fingerprint.
const maxFingerprint = 32

// ChainTokens are the fingerprints by which pair Secrets are indexed: of the refresh token that the chain holds and of those
// that it held last, of a login being imported, and of the logins that it was imported from. Logins that were refused are none of them: others
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
	for _, former := range state.Former.Last(formerTokens) {
		add(former)
	}
	for _, seed := range slices.Backward(state.Seeds) { // The newest stand last.
		if seed.RefusedFor == "" {
			add(seed.Fingerprint)
		}
	}
	return tokens
}

// chainOwner is another resource whose stored chain goes back to the token or stands at it now; nil when there
// is none.
func (o *Ownership) chainOwner(ctx context.Context, mine claim, fingerprint credential.Fingerprint) (*types.NamespacedName, error) {
	chains, err := o.options.Chains(ctx, fingerprint)
	if err != nil {
		return nil, fmt.Errorf("look for other chains of the same refresh token: %w", err)
	}
	others := slices.DeleteFunc(slices.Clone(chains), func(c Chain) bool { return c.UID == mine.uid })
	if len(others) == 0 {
		return nil, nil
	}
	// A cache has them in any order; the status names one, and of other namespaces' none.
	if near := slices.DeleteFunc(slices.Clone(others), func(c Chain) bool { return c.Namespace != mine.name.Namespace }); len(near) > 0 {
		others = near
	}
	first := slices.MinFunc(others, func(a, b Chain) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Owner, b.Owner))
	})
	return &types.NamespacedName{Namespace: first.Namespace, Name: first.Owner}, nil
}
