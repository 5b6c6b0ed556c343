package witness

import (
	"slices"
	"strconv"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// maxFormer is how many former tokens are kept, the newest of them: as many as a state names. Anybody may have written more into one.
	maxFormer = 16
	// beginningDigits is how many hexadecimal digits of a fingerprint are kept of a former token.
	beginningDigits = 16
)

// Chain is what is remembered of the newest state of a chain, so that an older one in its place is noticed.
type Chain struct {
	revision        int64
	access, refresh credential.Fingerprint
	// former are the beginnings of the fingerprints of the refresh tokens before, as there is one of these for each resource.
	former []uint64
	// Seeds are the logins that it knew.
	Seeds []rotation.SeedRecord
}

// Of is what is to be remembered of a state.
func Of(state *rotation.State) Chain {
	return Chain{state.Revision, state.AccessToken, state.RefreshToken, beginnings(state.Former), slices.Clip(state.Seeds)}
}

// beginnings are what a chain keeps of its former tokens.
func beginnings(former credential.Trail) []uint64 {
	tokens := former.Last(maxFormer)
	kept := make([]uint64, 0, len(tokens))
	for _, token := range tokens {
		if begins, ok := beginning(token); ok {
			kept = append(kept, begins)
		}
	}
	return kept
}

// beginning is the first half of a fingerprint; ok is false for what is none.
func beginning(token credential.Fingerprint) (begins uint64, ok bool) {
	half := token[:min(len(token), beginningDigits)]
	begins, err := strconv.ParseUint(string(half), 16, 64)
	return begins, err == nil && len(half) == beginningDigits
}

// IsOwn reports whether a pair is its resource's own chain, and its state tells how far that is: one that was computed from
// the tokens does not.
func IsOwn(pair *rotation.Pair) bool {
	state := &pair.State
	return pair.Controlled && state.Owner == pair.Owner.UID && !state.Incomplete && !pair.StateLost && (state.HasToken() || state.RefreshToken != "")
}

// IsAt reports whether a state is of the very pair that is remembered.
func (c *Chain) IsAt(state *rotation.State) bool {
	return c.access == state.AccessToken && c.refresh == state.RefreshToken
}

// Knows reports whether a refresh token is the remembered chain's own, now or before, or a login that it has already dealt with for an App.
func (c *Chain) Knows(seed credential.Fingerprint, app string) bool {
	if begins, ok := beginning(seed); ok && slices.Contains(c.former, begins) {
		return true
	}
	return (&rotation.State{RefreshToken: c.refresh, Seeds: c.Seeds}).KnowsSeed(seed, app)
}

// IsNewerThan reports whether what is remembered has had more commits, and has heard of every login of a state: one with
// another login is a new beginning.
func (c *Chain) IsNewerThan(state *rotation.State) bool {
	return c.revision > state.Revision && !slices.ContainsFunc(state.Seeds, func(r rotation.SeedRecord) bool {
		return r.RefusedFor == "" && !slices.ContainsFunc(c.Seeds, func(known rotation.SeedRecord) bool { return known.Fingerprint == r.Fingerprint })
	})
}

// IsAhead reports whether a status tells of a later pair than a state: by its time, in whole seconds, and within a second by
// its number, which a login sets back.
func IsAhead(status *v1alpha1.GitHubUserTokenStatus, state *rotation.State) bool {
	if status.LastRefreshTime == nil {
		return false
	}
	order := status.LastRefreshTime.Compare(state.IssuedAt.Truncate(time.Second))
	return order > 0 || order == 0 && status.RefreshCount > state.RefreshCount
}

// Disowned is a pair that was put back to an older state, as it is taken from its resource. A seed that was being imported in that older
// state is not being imported now. A device code stays: a person may just have entered it, and one of long ago brings nothing. Logins
// that are known to have been imported since are kept in mind, so that they are not imported again.
func (c *Chain) Disowned(live *rotation.Pair) *rotation.Pair {
	next := live.Clone()
	next.ForgetLogin()
	if next.Intent != nil && next.Intent.Spends != next.State.RefreshToken {
		next.Intent = nil // Another one is resolved when the pair is proven.
	}
	next.State.Owner = rotation.RolledBack
	for _, seed := range c.Seeds {
		if !slices.ContainsFunc(next.State.Seeds, func(r rotation.SeedRecord) bool { return r.Fingerprint == seed.Fingerprint }) {
			next.State.Seeds = append(next.State.Seeds, seed)
		}
	}
	next.State.Seeds = next.State.Seeds[max(0, len(next.State.Seeds)-rotation.MaxSeeds):]
	return next
}
