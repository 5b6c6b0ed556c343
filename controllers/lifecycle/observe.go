package lifecycle

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/alternation"
	"github.com/githubusertoken/github-user-token-operator/controllers/revokerequest"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/seeds"
	"github.com/githubusertoken/github-user-token-operator/controllers/webflow"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// observer collects what is known of a resource. All that it is given reads, but for what is remembered: of that it
// starts clocks, and drops what the cache has caught up with.
type observer struct {
	cache    Cache
	metadata interface {
		// Metadata is that of API.
		Metadata(ctx context.Context, ref rotation.Ref) (*rotation.Pair, error)
	}
	versions interface {
		// Version and Learn are those of seeds.Versions.
		Version(name types.NamespacedName) (version string, known bool)
		Learn(name types.NamespacedName, version string)
	}
	apps Apps
	// page is Options.LoginPage.
	page  string
	seeds *seeds.Reader
	turns *alternation.Turns
	notes notes
	clock rotation.Clock
	// atWork is that of rotation.Rotator.
	atWork func(*rotation.Intent) bool
	// untouched is IsUntouched of rotation.Rotator.
	untouched func(rotation.Owner, *rotation.Intent) bool
	// me is this process, as it stands in intents.
	me rotation.Holder
}

// observe collects what Decide needs. It reads caches; a Secret is read live only when there is a reason to.
// It writes to no object; that the clocks of what was seen begin is all it remembers.
func (o *observer) observe(ctx context.Context, token *v1alpha1.GitHubUserToken) (*scope.Scope, error) {
	s := &scope.Scope{Token: token, Owner: scope.OwnerOf(token), Ref: scope.PairRefOf(token), Now: o.clock.Now()}
	var err error
	if s.App, err = o.apps.App(ctx, token); err != nil {
		return nil, err
	}
	misplaced, duplicate, err := o.observePair(ctx, s)
	if err != nil {
		return nil, err
	}
	backup, err := o.cache.Secret(ctx, s.Owner.BackupRef())
	if err != nil {
		return nil, err
	}
	if backup != nil {
		s.BackupUID = backup.UID
	}
	newSpec := false
	o.notes.Peek(token.UID, func(m *note) { newSpec = m.generation != 0 && m.generation != token.Generation })
	if s.Seed, err = o.seeds.Look(ctx, token, s.Pair, newSpec); err != nil {
		s.Seed = scope.Seed{Problem: unread(err), Unread: err} // The chain that there is goes on.
	}
	s.Web = webflow.RequestOf(token, s.App, o.page)
	s.Input = rules.Input{
		Owner: s.Owner, App: appKey(s), Policy: scope.PolicyOf(token), Suspended: token.Spec.Suspend,
		RefreshRequestedAt: scope.RequestOf(token), Pair: s.Pair, Misplaced: misplaced, Duplicate: duplicate, Seed: s.Seed.Fingerprint,
		Vouched: scope.IsVouched(token), Me: o.me,
	}
	if s.Pair != nil {
		s.Input.IntentAtWork, s.IntentUntouched = o.atWork(s.Pair.Intent), o.untouched(s.Owner, s.Pair.Intent)
	}
	s.Input.RevocationAsked = revokerequest.IsWanted(s)
	if s.Input.Web, err = webflow.Look(ctx, s, o.cache); err != nil {
		return nil, err
	}
	o.recall(s, backup)
	return s, o.turns.Look(ctx, s)
}

// unread is the problem of a seed that could not be read, or is read later.
func unread(err error) *problem.Problem {
	p := words.Unread(err)
	if isPaced(err) {
		p.Reason = v1alpha1.ReasonSecretReadsLimited
	}
	return p
}

// appKey names the App of a resource. While that is not known the chain is taken to be still that of its App: nothing is
// exchanged, and no login is asked for because of it.
func appKey(s *scope.Scope) string {
	if !s.App.IsKnown() && s.Pair != nil {
		return s.Pair.State.App
	}
	return s.App.Key()
}

// recall adds what this process remembers of the resource.
func (o *observer) recall(s *scope.Scope, backup *rotation.Pair) {
	// Both clocks are read at one moment. What was looked at until now may have taken seconds, by which a token would seem to expire sooner.
	mono := o.clock.Monotonic()
	s.Now = o.clock.Now()
	s.Input.Now = s.Now
	o.notes.With(s.Token.UID, func(m *note) {
		s.Input.IntentSeen, s.Input.ExpiresIn = m.clocks.Watch(s.Pair, s.Now, mono)
		s.Input.Backup = backup != nil && backup.UID != m.backupGone
		if s.Pair != nil && s.Pair.Controlled && !s.Pair.Deleting && (m.latest == nil || m.isAnother(s.Pair)) {
			if s.Input.Edited = m.wasEdited(s.Pair.Version); !s.Input.Edited {
				m.seenVersion, m.seenUID = s.Pair.Version, s.Pair.UID
			}
		}
		if s.Pair != nil {
			s.Input.RolledBack = m.isRolledBack(s.Pair, s.Token)
			s.Input.Proof = m.proofOf(&s.Pair.State, mono)
			s.Seed.IsSpent = s.Pair.State.Owner != s.Owner.UID && m.chain.Knows(s.Seed.Fingerprint, s.Input.App)
		}
		if f := m.failure; f != nil && f.generation == s.Token.Generation && f.requested == s.Input.RefreshRequestedAt {
			s.Failure = f.current(s.Now, mono)
			s.Input.Failure, s.Input.Web.IsNew = s.Failure, f.login != webflow.ValueOf(s.Token)
		}
		if f := m.moveBlocked; f != nil && f.generation == s.Token.Generation {
			s.MoveBlocked = f.current(s.Now, mono)
			s.Input.MoveNotBefore = s.MoveBlocked.RetryAt
		}
		if f := m.restoreBlocked; f != nil && s.Pair != nil && s.Pair.Deleting {
			s.RestoreBlocked = f.current(s.Now, mono)
			s.Input.RestoreNotBefore = s.RestoreBlocked.RetryAt
		}
	})
}

// observePair finds the pair Secret's metadata, under the name that the spec asks for or, misplaced, under a
// former one: what the cache has, or what was last written if that is newer.
func (o *observer) observePair(ctx context.Context, s *scope.Scope) (misplaced, duplicate bool, err error) {
	former, err := o.formerPairs(ctx, s.Token)
	if err != nil {
		return false, false, err
	}
	cached, err := o.cache.Secret(ctx, s.Ref)
	if err != nil {
		return false, false, err
	}
	if misplaced = len(former) > 0; misplaced {
		duplicate = cached != nil && cached.Controlled && cached.Owner.UID == s.Owner.UID
		o.notes.Peek(s.Token.UID, func(m *note) { duplicate = duplicate || m.latest != nil && m.latest.Ref == s.Ref })
		cached, s.Ref = former[0], former[0].Ref
	}
	mono := o.clock.Monotonic()
	o.notes.With(s.Token.UID, func(m *note) {
		if s.Pair = m.newest(s.Ref, cached, mono); s.Pair != nil && cached == nil {
			s.GoneAt = s.Now.Add(m.latestSince + arrivalTime - mono) // No event would have us look again.
		}
	})
	if s.Pair == nil {
		if s.Pair, err = o.hiddenPair(ctx, s.Ref); err != nil {
			return false, false, err
		}
	}
	if s.Pair != nil {
		s.Pair = s.Pair.Clone()
		s.Pair.Controlled = s.Pair.Controlled && s.Pair.Owner.UID == string(s.Token.UID)
	}
	return misplaced, duplicate, nil
}
