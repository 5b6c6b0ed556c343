package seeds

import (
	"context"
	"fmt"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

const (
	// readsPerClaim is how many seeds of older resources one claim may read live. What is found in them is remembered,
	// so that the next try goes on from there.
	readsPerClaim = 8
	// readPause is when the next try is.
	readPause = 100 * time.Millisecond
)

// presumeOlder looks at the seeds of the older resources of the same namespace that have not imported theirs yet and
// claims for them, so that the oldest gets the token whichever is reconciled first. What that costs is the affair of the
// namespace; those of others count when they have claimed themselves. It returns those that it has claimed for, and
// whether it has looked at all.
func (o *Ownership) presumeOlder(ctx context.Context, token *v1alpha1.GitHubUserToken) (claimed []claim, all bool, err error) {
	mine := claimOf(token, "")
	youngest, losses, known := o.claims.horizon(token.Namespace)
	if known && compare(mine, youngest) <= 0 {
		return nil, true, nil
	}
	resources, err := o.options.Resources(ctx, token.Namespace)
	if err != nil {
		return nil, false, fmt.Errorf("look for older resources: %w", err)
	}
	reads := 0
	for _, other := range resources {
		if other.UID == token.UID || other.Spec.RefreshTokenRef == nil || !other.DeletionTimestamp.IsZero() ||
			other.CreationTimestamp.After(mine.created) || known && other.CreationTimestamp.Time.Before(youngest.created) || compare(claimOf(other, ""), mine) > 0 || o.claims.held(other.UID) != "" {
			continue
		}
		found, seen := o.options.Reader.findings.get(seedOf(other))
		if seen && found.seed.Fingerprint == "" {
			continue
		}
		hasPair, err := o.options.HasPair(ctx, other)
		if err != nil {
			return claimed, false, fmt.Errorf("look for the pair of an older resource: %w", err)
		}
		if hasPair {
			continue // Its chain is in the index.
		}
		if reads == readsPerClaim && !seen {
			return claimed, false, nil
		}
		// Perhaps it has not been reconciled yet. What is remembered of a resource is forgotten by its name when
		// it is gone.
		o.options.Memory.Learn(other.UID, scope.NameOf(other))
		if !seen {
			reads++
			if found.seed, err = o.options.Reader.readSeed(ctx, other); err != nil {
				return claimed, false, err
			}
		}
		if wanted := claimOf(other, found.seed.Fingerprint); wanted.token != "" {
			o.claims.presume(wanted)
			claimed = append(claimed, wanted)
		}
	}
	o.claims.settle(mine, losses)
	return claimed, true, nil
}

// lookingAtOlder says that the look at older resources goes on.
func (o *Ownership) lookingAtOlder() *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonExchanging, RetryAt: o.options.Now().Add(readPause),
		Message: "The seeds of older resources of this namespace are looked at first: one of them may hold the same refresh token.",
	}
}

// withdrawGone takes back what was presumed for resources that have gone meanwhile: what was just presumed, and what
// stands before others at a token. Nothing else would: a resource that was forgotten while its seed was being read
// would keep the token from everybody for ever.
func (o *Ownership) withdrawGone(ctx context.Context, fingerprint credential.Fingerprint, claimed []claim) {
	for _, presumed := range append(claimed, o.claims.presumed(fingerprint)...) {
		token, started := o.options.Resource(ctx, presumed.name)
		if started && (token == nil || token.UID != presumed.uid || !token.DeletionTimestamp.IsZero()) {
			o.freed(presumed.name.Namespace, o.claims.withdraw(presumed.uid))
		}
	}
}
