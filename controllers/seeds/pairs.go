package seeds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// looks are what was found in the Secrets that seem to hold the refresh token of a pair which a resource wants to take
// up: whether they do. Only those of the last try are kept.
type looks map[Chain]bool

// ClaimPair asks for the right to take up a pair that is bound to another resource than this one: it came with a copy or a
// backup. A living access token proves that the pair is the current one, and not that nobody else has it. Where another
// resource holds the same refresh token there is a problem, and the pair must not be taken up. Whose it is, of several
// that came by it so, is settled by age. The resource is woken when the other holds it no longer.
//
// Fingerprints stand where anybody can copy them, so that one proves nothing: whoever is said to hold the token must have
// it in its Secret.
func (o *Ownership) ClaimPair(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) (*problem.Problem, error) {
	fingerprint := pair.State.RefreshToken
	if fingerprint == "" {
		return nil, nil // Without a refresh token there is no chain that one could end for the other.
	}
	o.freed(token.Namespace, o.claims.enter(claimOf(token, fingerprint)))
	holder, all, err := o.holder(ctx, token, pair)
	switch {
	case err != nil:
		return nil, err
	case !all:
		return o.lookingAtPairs(), nil
	case holder != nil:
		return copied(types.NamespacedName{Namespace: holder.Namespace, Name: holder.Owner}), nil
	default:
		return nil, nil
	}
}

// errNotAllLooked: there are more Secrets that seem to hold a token than are read at once.
var errNotAllLooked = errors.New("the look at other pairs with the same refresh token goes on")

// HeldElsewhere reports whether the refresh token of a pair that is bound to another resource than this one is held by
// another resource, which goes before this one.
func (o *Ownership) HeldElsewhere(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) (bool, error) {
	if !isForeign(token, pair) || pair.State.RefreshToken == "" {
		return false, nil
	}
	holder, all, err := o.holder(ctx, token, pair)
	if err == nil && !all {
		err = errNotAllLooked
	}
	return holder != nil, err
}

// LivesOn reports whether the resource that a pair is bound to is known to exist: then the pair is a copy, and the chain
// goes on there. A UID cannot be copied, so that nobody else can pass for it.
func (o *Ownership) LivesOn(ctx context.Context, pair *rotation.Pair) bool {
	owner := types.UID(pair.State.Owner)
	lives := func(name types.NamespacedName) bool {
		token, _ := o.options.Resource(ctx, name)
		return token != nil && token.UID == owner && token.DeletionTimestamp.IsZero()
	}
	if name, known := o.options.Memory.Name(owner); known && lives(name) {
		return true
	}
	for _, login := range ChainTokens(&pair.State) { // After a start it may not have been seen yet.
		chains, _ := o.options.Chains(ctx, credential.Fingerprint(login))
		for _, chain := range chains {
			if chain.UID == owner && lives(types.NamespacedName{Namespace: chain.Namespace, Name: chain.Owner}) {
				return true
			}
		}
	}
	return false
}

// isForeign reports whether the chain of a resource's pair is bound to another resource.
func isForeign(token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	return pair != nil && pair.State.Owner != string(token.UID)
}

// holder is another resource that holds the refresh token of a pair and goes before this one; nil when there is none. all is
// false when too many Secrets would have to be read at once to know.
func (o *Ownership) holder(ctx context.Context, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) (found *Chain, all bool, err error) {
	fingerprint := pair.State.RefreshToken
	chains, err := o.options.Chains(ctx, fingerprint)
	if err != nil {
		return nil, false, fmt.Errorf("look for other pairs with the same refresh token: %w", err)
	}
	chains = slices.DeleteFunc(slices.Clone(chains), func(c Chain) bool { return !o.precedes(ctx, c, token, pair) })
	slices.SortFunc(chains, func(a, b Chain) int { // A cache has them in any order; the status names one.
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Ref.Name, b.Ref.Name))
	})
	known, next, reads := looks{}, looks{}, 0
	o.looks.Peek(token.UID, func(l *looks) { known = *l })
	defer func() { o.looks.With(token.UID, func(l *looks) { *l = next }) }()
	all = true
	for i := range chains {
		holds, seen := known[chains[i]]
		if !seen && reads == readsPerClaim {
			all = false
			continue
		}
		if !seen {
			reads++
			if holds, err = o.holds(ctx, chains[i].Ref, fingerprint); err != nil {
				return nil, false, err
			}
		}
		next[chains[i]] = holds
		if holds && found == nil {
			found = &chains[i]
		}
	}
	return found, all || found != nil, nil
}

// precedes reports whether a chain belongs to another resource, which goes before this one if it holds the token: one whose
// own it is, or the older of two that came by it.
func (o *Ownership) precedes(ctx context.Context, chain Chain, token *v1alpha1.GitHubUserToken, pair *rotation.Pair) bool {
	if chain.UID == token.UID {
		return false
	}
	other, started := o.options.Resource(ctx, types.NamespacedName{Namespace: chain.Namespace, Name: chain.Owner})
	if !started {
		return true // In doubt the Secret is looked at.
	}
	return other != nil && other.UID == chain.UID && (chain.Bound || pair.State.Owner != rotation.RolledBack && compare(claimOf(other, ""), claimOf(token, "")) < 0)
}

// holds reports whether a pair Secret holds a refresh token, for whatever purpose.
func (o *Ownership) holds(ctx context.Context, ref rotation.Ref, fingerprint credential.Fingerprint) (bool, error) {
	pair, err := o.options.Pair(ctx, ref)
	if errors.Is(err, rotation.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether another pair has the same refresh token: %w", err)
	}
	return pair.Holds(fingerprint), nil
}

// lookingAtPairs says that the look at other pairs goes on.
func (o *Ownership) lookingAtPairs() *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonPairUnproven, RetryAt: o.options.Now().Add(readPause),
		Message: "The pair Secret was restored from elsewhere. Other pairs are looked at first: one of them may hold the same refresh token.",
	}
}

// copied says that a resource has a copy of another one's pair.
func copied(owner types.NamespacedName) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonRefreshTokenInUse, Stalled: true, Unauthorized: true,
		Message: fmt.Sprintf("The pair Secret is a copy: GitHubUserToken %s holds the same refresh token, and to exchange it here would end its chain. Delete one of the two resources, or authorize the App again for this one.", owner),
	}
}
