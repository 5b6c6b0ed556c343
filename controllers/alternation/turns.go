package alternation

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/memory"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/turns"
)

// Cache is what the watches have told; see lifecycle.Cache.
type Cache interface {
	Secret(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	Resource(ctx context.Context, name types.NamespacedName) (token *v1alpha1.GitHubUserToken, started bool)
}

// Amender writes numbers into pair Secrets; see amend.Amender.
type Amender interface {
	Publish(ctx context.Context, owner rotation.Owner, read *rotation.Pair, token credential.Fingerprint, number int64) (*rotation.Pair, bool, error)
}

// Turns finds out whose turn it is. Make it with New.
type Turns struct {
	cache   Cache
	amender Amender
	written func(uid types.UID, pair *rotation.Pair)
	clock   rotation.Clock
	notes   memory.Slot[note]
}

// note is since when a number is seen where workloads read.
type note struct {
	number int64
	since  time.Duration
}

// New makes Turns, which calls written with what was written. It is called once for each memory.Store.
func New(cache Cache, amender Amender, written func(types.UID, *rotation.Pair), clock rotation.Clock, store *memory.Store) *Turns {
	return &Turns{cache: cache, amender: amender, written: written, clock: clock, notes: memory.NewSlot[note](store)}
}

// Look adds to what was observed of a resource what is known of the other chain with which its own takes turns. It reads the cache. Nothing
// is added, and nothing remembered, where the resource has one chain alone.
func (t *Turns) Look(ctx context.Context, s *scope.Scope) error {
	primary, alternate := t.both(ctx, s.Token)
	if primary == nil {
		return nil
	}
	isPrimary := primary.UID == s.Token.UID
	other := alternate
	if !isPrimary {
		other = primary
	}
	found := &scope.Alternation{IsPrimary: isPrimary, Other: other}
	var err error
	if other != nil {
		if found.Pair, err = t.cache.Secret(ctx, scope.PairRefOf(other)); err != nil {
			return fmt.Errorf("look at the pair of %s: %w", other.Name, err)
		}
	}
	number, err := t.numberIn(ctx, rotation.Ref{Namespace: primary.Namespace, Name: primary.PublishedSecretName()})
	if err != nil {
		return err
	}
	mono := t.clock.Monotonic()
	seen := turns.Seen{Publication: number}
	t.notes.With(s.Token.UID, func(n *note) {
		if n.number != number {
			*n = note{number, mono}
		}
		seen.For = mono - n.since
	})
	of := turns.Of{
		Own: turns.Chain{Owner: s.Owner.UID, Pair: s.Pair, App: s.Input.App, Doubtful: s.Input.RolledBack}, Other: turns.Chain{Pair: found.Pair, App: s.Input.App},
		IsPrimary: isPrimary, Seen: seen, Overlap: overlapOf(primary), HoldUntil: s.Input.Policy.HoldUntil, Now: s.Now,
	}
	if other != nil {
		of.Other.Owner = string(other.UID)
	}
	// Both must be of one account: that of the primary.
	if user := userOf(isPrimary, &of); user != 0 {
		of.Own.User, of.Other.User = user, user
	}
	found.Of, found.Next = of, of.Next()
	s.Input.Turn = turns.PlanOf(of)
	s.Alternation = found
	return nil
}

// userOf is the account of the primary's chain; zero while it is not known.
func userOf(isPrimary bool, of *turns.Of) int64 {
	primary := of.Other.Pair
	if isPrimary {
		primary = of.Own.Pair
	}
	if primary == nil || primary.State.User == nil {
		return 0
	}
	return primary.State.User.ID
}

// both are the resource that workloads know and its alternate, of a resource that is one of the two. primary is nil for any other resource, and
// alternate where there is none yet.
func (t *Turns) both(ctx context.Context, token *v1alpha1.GitHubUserToken) (primary, alternate *v1alpha1.GitHubUserToken) {
	if token.IsAlternating() {
		alternate, _ := t.cache.Resource(ctx, types.NamespacedName{Namespace: token.Namespace, Name: v1alpha1.AlternateName(token.Name)})
		if alternate == nil || !IsAlternateOf(alternate, token) {
			return token, nil
		}
		return token, alternate
	}
	name, uid, ok := token.AlternateOf()
	if !ok {
		return nil, nil
	}
	primary, started := t.cache.Resource(ctx, types.NamespacedName{Namespace: token.Namespace, Name: name})
	if primary == nil || !started || string(primary.UID) != uid || !primary.IsAlternating() {
		return nil, nil
	}
	return primary, token
}

// IsAlternateOf reports whether a resource is the alternate of another one.
func IsAlternateOf(alternate, primary *v1alpha1.GitHubUserToken) bool {
	name, uid, ok := alternate.AlternateOf()
	return ok && name == primary.Name && uid == string(primary.UID) && alternate.DeletionTimestamp.IsZero() && !alternate.IsAlternating()
}

// numberIn is the number of the pair whose token stands in the Secret that workloads read; zero when there is none.
func (t *Turns) numberIn(ctx context.Context, ref rotation.Ref) (int64, error) {
	published, err := t.cache.Secret(ctx, ref)
	if published == nil || err != nil {
		return 0, err
	}
	number, err := strconv.ParseInt(published.Annotations[v1alpha1.AnnotationPublication], 10, 64)
	if err != nil || number < 0 {
		return 0, nil //nolint:nilerr // Somebody has written it, or nobody.
	}
	return number, nil
}

// overlapOf is the overlap that a spec asks for; zero for the default.
func overlapOf(token *v1alpha1.GitHubUserToken) time.Duration {
	if token.Spec.Rotation == nil || token.Spec.Rotation.Overlap == nil {
		return 0
	}
	return token.Spec.Rotation.Overlap.Duration
}

// Mark gives the resource's own pair the number by which its token is published, where it is to be published in place of one that is good for
// less. Its event has both resources reconciled.
func (t *Turns) Mark(ctx context.Context, s *scope.Scope) error {
	number := s.Input.Turn.Mark
	if number == 0 || s.Pair == nil {
		return nil
	}
	marked, _, err := t.amender.Publish(ctx, s.Owner, s.Pair, s.Pair.State.AccessToken, number)
	if err != nil {
		return fmt.Errorf("publish the pair in place of the other authorization's: %w", err)
	}
	t.written(s.Token.UID, marked)
	return nil
}
