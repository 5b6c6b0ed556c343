package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Observe collects what Decide needs. It reads caches; a Secret is read live only when there is a reason to.
// It changes nothing.
func (c *Controller) Observe(ctx context.Context, token *v1alpha1.GitHubUserToken) (*scope.Scope, error) {
	s := &scope.Scope{Token: token, Owner: scope.OwnerOf(token), Ref: scope.PairRefOf(token), Now: c.clock.Now()}
	misplaced, duplicate, err := c.observePair(ctx, s)
	if err != nil {
		return nil, err
	}
	backup, err := c.cache.Secret(ctx, s.Owner.BackupRef())
	if err != nil {
		return nil, err
	}
	if backup != nil {
		s.BackupUID = backup.UID
	}
	newSpec := false
	c.notes.Peek(token.UID, func(m *note) { newSpec = m.generation != 0 && m.generation != token.Generation })
	if s.Seed, err = c.seeds.Look(ctx, token, s.Pair, newSpec); err != nil {
		return nil, err
	}
	s.Input = rotation.Input{
		Owner: s.Owner, App: scope.AppOf(token).Key(), Policy: scope.PolicyOf(token), Suspended: token.Spec.Suspend,
		RefreshRequestedAt: scope.RequestOf(token), Pair: s.Pair, Misplaced: misplaced, Duplicate: duplicate, Seed: s.Seed.Fingerprint,
		Vouched: scope.IsVouched(token), Me: c.rotator.Me, Now: s.Now,
	}
	c.recall(s, backup)
	return s, nil
}

// recall adds what this process remembers of the resource.
func (c *Controller) recall(s *scope.Scope, backup *rotation.Pair) {
	mono := c.clock.Monotonic()
	c.notes.With(s.Token.UID, func(m *note) {
		s.Input.IntentSeen, s.Input.ExpiresIn = m.watchClocks(s.Pair, s.Now, mono)
		s.Input.Backup = backup != nil && backup.UID != m.backupGone
		if s.Pair != nil && s.Pair.Controlled && !s.Pair.Deleting && m.latest == nil {
			if s.Input.Edited = m.wasEdited(s.Pair.Version); !s.Input.Edited {
				m.seenVersion = s.Pair.Version
			}
		}
		if s.Pair != nil && m.provenToken == s.Pair.State.AccessToken {
			s.Input.Proof = m.proof
		}
		if f := m.failure; f != nil && f.generation == s.Token.Generation && f.requested == s.Input.RefreshRequestedAt {
			s.Failure = f.current(s.Now, mono)
			s.Input.Failure = s.Failure
		}
		if f := m.moveBlocked; f != nil && f.generation == s.Token.Generation {
			s.MoveBlocked = f.current(s.Now, mono)
			s.Input.MoveNotBefore = s.MoveBlocked.RetryAt
		}
	})
}

// observePair finds the pair Secret's metadata, under the name that the spec asks for or, misplaced, under a
// former one: what the cache has, or what was last written if that is newer.
func (c *Controller) observePair(ctx context.Context, s *scope.Scope) (misplaced, duplicate bool, err error) {
	former, err := c.formerPairs(ctx, s.Token)
	if err != nil {
		return false, false, err
	}
	cached, err := c.cache.Secret(ctx, s.Ref)
	if err != nil {
		return false, false, err
	}
	if misplaced = len(former) > 0; misplaced {
		duplicate = cached != nil && cached.Controlled && cached.Owner.UID == s.Owner.UID
		c.notes.Peek(s.Token.UID, func(m *note) { duplicate = duplicate || m.latest != nil && m.latest.Ref == s.Ref })
		cached, s.Ref = former[0], former[0].Ref
	}
	mono := c.clock.Monotonic()
	c.notes.With(s.Token.UID, func(m *note) { s.Pair = m.newest(s.Ref, cached, mono) })
	if s.Pair == nil {
		if s.Pair, err = c.hiddenPair(ctx, s.Ref); err != nil {
			return false, false, err
		}
	}
	if s.Pair != nil {
		s.Pair = s.Pair.Clone()
		s.Pair.Controlled = s.Pair.Controlled && s.Pair.Owner.UID == string(s.Token.UID)
	}
	return misplaced, duplicate, nil
}

// hiddenPair is a Secret in the pair's place that the cache does not show, since it has no label of ours:
// somebody else's, or ours without its label. The watch on named Secrets tells when there is none.
func (c *Controller) hiddenPair(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error) {
	name := types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
	if version, known := c.versions.Version(name); known && version == "" {
		return nil, nil
	}
	hidden, err := c.api.Metadata(ctx, ref)
	if errors.Is(err, rotation.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the Secret in the pair's place: %w", err)
	}
	return hidden, nil
}

// formerPairs are the resource's pair Secrets of other names than the spec asks for, the one included that
// was just written and is not in the cache yet.
func (c *Controller) formerPairs(ctx context.Context, token *v1alpha1.GitHubUserToken) ([]*rotation.Pair, error) {
	owner, wanted := scope.OwnerOf(token), scope.PairRefOf(token)
	pairs, err := c.cache.PairsOf(ctx, owner)
	if err != nil {
		return nil, fmt.Errorf("look for the pair under a former name: %w", err)
	}
	gone := ""
	c.notes.Peek(token.UID, func(m *note) { gone = m.formerGone })
	var former []*rotation.Pair
	for _, pair := range pairs {
		if pair.Ref != wanted && pair.UID != gone {
			former = append(former, pair)
		}
	}
	if len(former) > 0 {
		return former, nil
	}
	c.notes.Peek(token.UID, func(m *note) {
		if m.latest != nil && m.latest.Ref != wanted && m.latest.Ref != owner.BackupRef() {
			former = append(former, m.latest)
		}
	})
	return former, nil
}
