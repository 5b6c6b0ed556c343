package scopedtokens

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

const (
	// overlap is for how long a token that was replaced works on, at most: the kubelet needs 60 to 80 seconds to bring a Secret into a
	// running pod, and whoever restarts takes minutes.
	overlap = 5 * time.Minute
	// lostMemory is for how long a token counts that may have been made and never arrived.
	lostMemory = time.Hour
	// askTime is for how long another process may be waiting for GitHub's answer.
	askTime = 20 * time.Second
	// margin is by how much a token must expire before the user's to be one that has a lifetime of its own.
	margin = time.Minute
)

// step is what is done next about an output.
type step string

const (
	// rest: nothing.
	rest step = "rest"
	// makeToken: GitHub is asked for a scoped token, and the output written with it.
	makeToken step = "make"
	// write: the output is written with what there is.
	write step = "write"
	// end: a token that was retired is ended at GitHub.
	end step = "end"
	// remove: the output is removed.
	remove step = "remove"
)

// view is what the next step depends on. It holds no token.
type view struct {
	now time.Time
	// spec is the output as it is asked for; nil when it is not.
	spec *v1alpha1.Output
	// pair is the user's, by its metadata; nil when there is none.
	pair *rotation.Pair
	// exists reports whether there is a Secret, ledger is what its annotation tells, and right whether it is as it should be.
	exists bool
	ledger ledger
	right  bool
	// answered is when GitHub was asked by this process, which knows what came of it; zero for never.
	answered time.Time
	// endAfter is until when no token is ended, since the last try has failed; zero for none.
	endAfter time.Time
}

// endsOne reports whether a token is to be ended by now.
func (v view) endsOne() bool {
	return v.spec == nil && len(v.ledger.entries()) > 0 || slices.ContainsFunc(v.ledger.Retired, func(e entry) bool { return isEndDue(e, v.now) })
}

// plan is the next step.
type plan struct {
	step step
	// token is the one to be ended.
	token credential.Fingerprint
	// at is when to look again where there is nothing to do; zero for never.
	at time.Time
}

// next decides what is done about an output. What gives readers a token goes first.
func next(v view) plan {
	switch {
	case v.spec == nil && !v.exists:
		return plan{step: rest}
	case v.spec == nil && len(v.ledger.entries()) == 0:
		return plan{step: remove}
	case v.spec == nil && v.ledger.Current != nil:
		return ending(v, v.ledger.Current.Token, time.Time{})
	case v.spec == nil:
		return ending(v, v.ledger.Retired[0].Token, time.Time{})
	case v.pair == nil:
		return endDue(v, time.Time{})
	}
	if v.spec.Scope == nil {
		if v.ledger.Current != nil || !v.right {
			return plan{step: write}
		}
		return endDue(v, time.Time{})
	}
	needed, needAt := needsToken(v)
	switch {
	case needed && !v.ledger.Asked.IsZero() && !v.ledger.Asked.Equal(v.answered) && v.now.Before(v.ledger.Asked.Add(askTime)) && !v.ledger.Asked.After(v.now):
		return endDue(v, v.ledger.Asked.Add(askTime)) // Another process may be at it.
	case needed && mayAsk(v.pair, v.now):
		return plan{step: makeToken}
	case v.ledger.Current != nil && !v.right:
		return plan{step: write}
	default:
		return endDue(v, needAt)
	}
}

// endDue ends the token that is due to be ended, or waits for the next.
func endDue(v view, at time.Time) plan {
	first := time.Time{}
	for _, e := range v.ledger.Retired {
		if isEndDue(e, v.now) {
			return ending(v, e.Token, at)
		}
		first = backoff.Earliest(first, e.EndAt)
	}
	return plan{step: rest, at: backoff.Earliest(at, first)}
}

// isEndDue reports whether a retired token is to be ended. A time that the operator cannot have written keeps none alive.
func isEndDue(e entry, now time.Time) bool {
	return !now.Before(e.EndAt) || e.EndAt.After(now.Add(overlap+margin))
}

// ending ends a token, unless that has just failed.
func ending(v view, token credential.Fingerprint, at time.Time) plan {
	if v.now.Before(v.endAfter) {
		return plan{step: rest, at: backoff.Earliest(at, v.endAfter)}
	}
	return plan{step: end, token: token}
}

// needsToken reports whether an output needs another token, or when it will.
func needsToken(v view) (needed bool, at time.Time) {
	current := v.ledger.Current
	switch {
	case current == nil, current.Parent != v.pair.State.AccessToken, current.App != v.pair.State.App, current.Scope != nameOf(v.spec.Scope):
		return true, time.Time{}
	case current.ExpiresAt.IsZero():
		return false, time.Time{}
	}
	lifetime := current.ExpiresAt.Sub(current.IssuedAt)
	if parent := v.pair.State.ExpiresAt; !parent.IsZero() && current.ExpiresAt.After(parent.Add(-min(margin, lifetime/4))) {
		return false, time.Time{} // It goes with the user's, which is replaced in time.
	}
	at = current.ExpiresAt.Add(-lifetime / 4)
	return !v.now.Before(at), at
}

// mayAsk reports whether GitHub may be asked for a scoped token of a pair: its token works for all that is known, and no exchange is
// about to end it.
func mayAsk(pair *rotation.Pair, now time.Time) bool {
	state := &pair.State
	return state.HasToken() && !isRevoked(state) && pair.Intent == nil && !scope.IsAccessTokenDead(state) && (!state.Expires() || now.Before(state.ExpiresAt))
}

// isRevoked reports whether the account's person has asked for the end of the login.
func isRevoked(state *rotation.State) bool {
	return state.Verdict != nil && state.Verdict.Reason == v1alpha1.ReasonRevokedOnRequest
}

// overlapOf is for how long a token that was replaced works on: a quarter of the user's lifetime at most, so that of tokens that live
// for seconds there are never many.
func overlapOf(state *rotation.State) time.Duration {
	if !state.Expires() {
		return overlap
	}
	return min(overlap, max(0, state.ExpiresAt.Sub(state.IssuedAt)/4))
}

// scopeOf is what is asked for, as GitHub's client takes it.
func scopeOf(spec *v1alpha1.OutputScope) github.TokenScope {
	asked := github.TokenScope{Target: spec.Target, RepositoryIDs: slices.Clone(spec.RepositoryIDs)}
	for _, name := range spec.Repositories {
		asked.Repositories = append(asked.Repositories, string(name))
	}
	for name, level := range spec.Permissions {
		if asked.Permissions == nil {
			asked.Permissions = map[string]string{}
		}
		asked.Permissions[name] = string(level)
	}
	return asked
}

// nameOf names a scope: the order of what stands in it does not matter.
func nameOf(spec *v1alpha1.OutputScope) string {
	asked := scopeOf(spec)
	slices.Sort(asked.Repositories)
	slices.Sort(asked.RepositoryIDs)
	var permissions [][2]string
	for _, name := range slices.Sorted(maps.Keys(asked.Permissions)) {
		permissions = append(permissions, [2]string{name, asked.Permissions[name]})
	}
	text, err := json.Marshal([]any{asked.Target, asked.Repositories, asked.RepositoryIDs, permissions})
	if err != nil {
		return "" // Texts and numbers can always be marshalled.
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
