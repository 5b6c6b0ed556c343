package seeds

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// OwnershipOptions configure an Ownership. All are required.
type OwnershipOptions struct {
	// Chains are the cached pair Secrets with a controller that are indexed under the token, see ChainTokens.
	Chains func(ctx context.Context, fingerprint credential.Fingerprint) ([]Chain, error)
	// Resources are the resources of a namespace as the cache has them. They are read only.
	Resources func(ctx context.Context, namespace string) ([]*v1alpha1.GitHubUserToken, error)
	// Resource is a resource as the cache has it; nil when it has none. started is false before there is a cache.
	Resource func(ctx context.Context, name types.NamespacedName) (token *v1alpha1.GitHubUserToken, started bool)
	// Pair reads a pair Secret live. Errors: rotation.ErrNotFound, or unknown.
	Pair func(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	// HasPair reports whether the cache has a pair Secret of a resource.
	HasPair func(ctx context.Context, token *v1alpha1.GitHubUserToken) (bool, error)
	// Reader reads the seeds of other resources.
	Reader *Reader
	// Memory keeps the claims, each with its resource.
	Memory *memory.Store
	// Freed is told of a token that some resources want, and that may be theirs now. They are to be reconciled soon, see
	// Wanting; they may be many, so that nobody waits for it. namespace is that of whoever has given the token up.
	Freed func(namespace string, token credential.Fingerprint)
	// Now is the wall clock.
	Now func() time.Time
}

// Ownership settles which of several resources with the same refresh token may exchange it. Make it with
// NewOwnership; it is safe for concurrent use.
type Ownership struct {
	options OwnershipOptions
	claims  *claims
	looks   memory.Slot[looks]
}

// NewOwnership makes an Ownership.
func NewOwnership(options OwnershipOptions) *Ownership {
	o := &Ownership{options: options, claims: newClaims(options.Memory), looks: memory.NewSlot[looks](options.Memory)}
	options.Reader.changed = o.claims.unsettle
	return o
}

// errGivenUp: a resource was forgotten, or has claimed another token, while it claimed one.
var errGivenUp = errors.New("the claim to the refresh token was given up meanwhile")

// Claim asks for the right to exchange a seed's token. Of several resources with the same token one owns it:
// whoever has begun, otherwise the oldest of those that have claimed it or stand in the same namespace. The others get a
// problem and must exchange nothing; so must whoever is told to ask again. Those that want the token which the
// resource wanted before are woken.
func (o *Ownership) Claim(ctx context.Context, token *v1alpha1.GitHubUserToken, fingerprint credential.Fingerprint) (*problem.Problem, error) {
	mine := claimOf(token, fingerprint)
	o.freed(token.Namespace, o.claims.enter(mine))
	if owner, err := o.chainOwner(ctx, mine, fingerprint); owner != nil || err != nil {
		return inUse(owner, token.Namespace), err
	}
	claimed, all, err := o.presumeOlder(ctx, token)
	o.withdrawGone(ctx, fingerprint, claimed)
	if err != nil {
		return nil, err
	}
	if !all {
		return o.lookingAtOlder(), nil
	}
	owner, ok := o.claims.take(token.UID, fingerprint)
	switch {
	case !ok:
		return nil, errGivenUp
	case owner.uid != token.UID:
		return inUse(&owner.name, token.Namespace), nil
	default:
		return nil, nil
	}
}

// Release gives up the claim to a token that is no longer in the seed. Those that want the token are woken.
// found is what Look has returned: when it looked at nothing, nothing is given up. A claim to the token of a pair that is
// still to be taken up stays.
func (o *Ownership) Release(token *v1alpha1.GitHubUserToken, found scope.Seed, pair *rotation.Pair) {
	if found.Unread != nil {
		return
	}
	if isForeign(token, pair) && o.claims.held(token.UID) == pair.State.RefreshToken {
		return
	}
	examined := found.Version != "" || found.Problem != nil || token.Spec.RefreshTokenRef == nil
	if held := o.claims.held(token.UID); examined && held != "" && held != found.Fingerprint {
		o.freed(token.Namespace, o.claims.enter(claimOf(token, "")))
	}
}

// Forget drops the claim of a resource that is gone. Those that want the same token are woken. It may be
// called before or after the memory has forgotten the resource.
func (o *Ownership) Forget(uid types.UID) { o.freed(o.claims.forget(uid)) }

// Wanting are the resources that want a token, the first in order first.
func (o *Ownership) Wanting(fingerprint credential.Fingerprint) []types.NamespacedName {
	return o.claims.names(fingerprint)
}

// PairChanged wakes the resources that want a token which a changed pair Secret of a namespace holds no longer, even if its
// chain goes back to it: who has a copy of it waits for that. after is nil when the Secret was deleted, or has no controller any
// more: then it holds none.
func (o *Ownership) PairChanged(namespace string, before, after *rotation.State) {
	held := ChainTokens(after)
	for _, token := range ChainTokens(before) {
		if !slices.Contains(held, token) || string(before.RefreshToken) == token && after.RefreshToken != before.RefreshToken {
			o.freed(namespace, o.claims.wanted(credential.Fingerprint(token)))
		}
	}
}

func (o *Ownership) freed(namespace string, token credential.Fingerprint) {
	if token != "" {
		o.options.Freed(namespace, token)
	}
}

// inUse is the problem of a resource of a namespace whose refresh token another resource owns. What there is in other
// namespaces is not told.
func inUse(owner *types.NamespacedName, namespace string) *problem.Problem {
	if owner == nil {
		return nil
	}
	whose := "A GitHubUserToken of another namespace"
	if owner.Namespace == namespace {
		whose = "GitHubUserToken " + owner.String()
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonRefreshTokenInUse, Stalled: true,
		Message: whose + " owns this refresh token or has spent it; exchanging it here would end its chain. Delete one of the two, stop what copies its pair into this seed, or authorize the App again for this one.",
	}
}

// Spent is the problem of a resource in whose pair Secret another's pair stands that has not heard of the token in the seed: its own chain, which
// was there before, has. It is not sent once more; whether the newest token of that chain is spent is not known, as an exchange may have begun.
func Spent(secret string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonRefreshTokenInUse, Stalled: true,
		Message: "Secret \"" + secret + "\" holds the pair of another GitHubUserToken, which somebody has put there, and the refresh token in the seed belongs to this one's own chain, which stood there before and may have spent it. Put this one's own pair back, or authorize the App again and put the new refresh token into the seed.",
	}
}
