package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
)

// chainSeen is what is remembered of the newest state of a chain, so that an older one in its place is noticed.
type chainSeen struct {
	revision int64
	tokens   tokens
	seeds    []rotation.SeedRecord
}

// seesChain remembers the state of a pair, unless a newer one of the same chain is remembered.
func (m *note) seesChain(pair *rotation.Pair) {
	if isOwn(pair) && !m.chain.isNewerThan(&pair.State) {
		m.startsChain(pair)
	}
}

// startsChain remembers the state of a pair as the newest, whatever is remembered: it was just received, or proven.
func (m *note) startsChain(pair *rotation.Pair) {
	m.chain = chainSeen{revision: pair.State.Revision, tokens: tokensOf(&pair.State), seeds: slices.Clip(pair.State.Seeds)}
}

// isOwn reports whether a pair is its resource's own chain, and its state tells how far that is: one that was computed from
// the tokens does not.
func isOwn(pair *rotation.Pair) bool {
	state := &pair.State
	return pair.Controlled && state.Owner == pair.Owner.UID && !state.Incomplete && !pair.StateLost && (state.HasToken() || state.RefreshToken != "")
}

// isNewerThan reports whether what is remembered has had more commits, and has heard of every login of a state: one with
// another login is a new beginning.
func (c *chainSeen) isNewerThan(state *rotation.State) bool {
	return c.revision > state.Revision && !slices.ContainsFunc(state.Seeds, func(r rotation.SeedRecord) bool {
		return r.RefusedFor == "" && !slices.ContainsFunc(c.seeds, func(known rotation.SeedRecord) bool { return known.Fingerprint == r.Fingerprint })
	})
}

// isRolledBack reports whether a newer pair than this one was seen before: by this process, or, of a pair that it does not
// know, by whoever has written the status. The status of a resource follows its Secret, and is never ahead of it: a restore
// of the Secret alone leaves the status as it was. What is found to be as it was last seen is remembered.
func (m *note) isRolledBack(pair *rotation.Pair, token *v1alpha1.GitHubUserToken) bool {
	if !isOwn(pair) {
		return false
	}
	state := &pair.State
	switch {
	case m.chain.tokens == tokensOf(state):
		return false
	case m.chain.isNewerThan(state):
		return true
	case m.proofed(state):
	case isAhead(&token.Status, state):
		return true
	}
	m.startsChain(pair)
	return false
}

// isAhead reports whether a status tells of a later pair than a state: by its time, in whole seconds, and within a second by
// its number, which a login sets back.
func isAhead(status *v1alpha1.GitHubUserTokenStatus, state *rotation.State) bool {
	if status.LastRefreshTime == nil {
		return false
	}
	order := status.LastRefreshTime.Compare(state.IssuedAt.Truncate(time.Second))
	return order > 0 || order == 0 && status.RefreshCount > state.RefreshCount
}

// proofed reports whether GitHub has ever said to this process that the access token of a pair is alive.
func (m *note) proofed(state *rotation.State) bool {
	return m.proven == tokensOf(state) && m.proof == rules.ProofAlive
}

// disown takes a pair that was put back to an older state from its resource: nothing is exchanged until it is proven. A seed that was
// being imported in that older state is not being imported now. A device code stays: a person may just have entered it, and one of long
// ago brings nothing. Logins that are known to have been imported since are kept in mind, so that they are not imported again.
func (a *pairActions) disown(ctx context.Context, s *scope.Scope) Result {
	const what = "The pair Secret was put back to an older state, and that could not be written down"
	live, err := a.rotator.Store.Get(ctx, s.Ref)
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	rolledBack := false
	var seeds []rotation.SeedRecord
	a.notes.With(s.Token.UID, func(m *note) {
		if rolledBack, seeds = m.isRolledBack(live, s.Token), m.chain.seeds; rolledBack && m.proof == rules.ProofAlive {
			m.proven = tokens{} // That was then. It may have been exchanged since.
		}
	})
	if !live.Controlled || live.Owner.UID != s.Owner.UID || !rolledBack {
		a.notes.read(s.Token.UID, live) // The cache was behind.
		return a.notes.failed(s, rotation.ErrConflict, what)
	}
	next := live.Clone()
	next.ForgetLogin()
	if next.Intent != nil && next.Intent.Spends != next.State.RefreshToken {
		next.Intent = nil // Another one is resolved when the pair is proven.
	}
	next.State.Owner = rotation.RolledBack
	for _, seed := range seeds {
		if !slices.ContainsFunc(next.State.Seeds, func(r rotation.SeedRecord) bool { return r.Fingerprint == seed.Fingerprint }) {
			next.State.Seeds = append(next.State.Seeds, seed)
		}
	}
	next.State.Seeds = next.State.Seeds[max(0, len(next.State.Seeds)-rotation.MaxSeeds):]
	disowned, err := a.rotator.Store.Update(ctx, live, next)
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	logr.FromContextOrDiscard(ctx).Info("The pair Secret was put back to an older state; its pair has to be proven")
	return a.changed(s, disowned)
}
