package lifecycle

import (
	"context"

	"github.com/go-logr/logr"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/rules"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/witness"
)

// seesChain remembers the state of a pair, unless a newer one of the same chain is remembered.
func (m *note) seesChain(pair *rotation.Pair) {
	if witness.IsOwn(pair) && !m.chain.IsNewerThan(&pair.State) {
		m.startsChain(pair)
	}
}

// startsChain remembers the state of a pair as the newest, whatever is remembered: it was just received, or proven.
func (m *note) startsChain(pair *rotation.Pair) {
	m.chain = witness.Of(&pair.State)
}

// isRolledBack reports whether a newer pair than this one was seen before: by this process, or, of a pair that it does not
// know, by whoever has written the status. The status of a resource follows its Secret, and is never ahead of it: a restore
// of the Secret alone leaves the status as it was. What is found to be as it was last seen is remembered.
func (m *note) isRolledBack(pair *rotation.Pair, token *v1alpha1.GitHubUserToken) bool {
	if !witness.IsOwn(pair) {
		return false
	}
	state := &pair.State
	switch {
	case m.chain.IsAt(state):
		return false
	case m.chain.IsNewerThan(state):
		return true
	case m.proofed(state):
	case witness.IsAhead(&token.Status, state):
		return true
	}
	m.startsChain(pair)
	return false
}

// proofed reports whether GitHub has ever said to this process that the access token of a pair is alive.
func (m *note) proofed(state *rotation.State) bool {
	return m.proven == tokensOf(state) && m.proof == rules.ProofAlive
}

// disown takes a pair that was put back to an older state from its resource: nothing is exchanged until it is proven.
func (a *pairActions) disown(ctx context.Context, s *scope.Scope) Result {
	const what = "The pair Secret was put back to an older state, and that could not be written down"
	live, err := a.rotator.Store.Get(ctx, s.Ref)
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	rolledBack := false
	var chain witness.Chain
	a.notes.With(s.Token.UID, func(m *note) {
		if rolledBack, chain = m.isRolledBack(live, s.Token), m.chain; rolledBack && m.proof == rules.ProofAlive {
			m.proven = tokens{} // That was then. It may have been exchanged since.
		}
	})
	if !live.Controlled || live.Owner.UID != s.Owner.UID || !rolledBack {
		a.notes.read(s.Token.UID, live) // The cache was behind.
		return a.notes.failed(s, rotation.ErrConflict, what)
	}
	disowned, err := a.rotator.Store.Update(ctx, live, chain.Disowned(live))
	if err != nil {
		return a.notes.failed(s, err, what)
	}
	logr.FromContextOrDiscard(ctx).Info("The pair Secret was put back to an older state; its pair has to be proven")
	return a.changed(s, disowned)
}
