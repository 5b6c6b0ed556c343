package rules

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/backoff"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// renewEvery is how often at most a pair is got because an access token has ended ahead of its expiry: where GitHub
// goes on saying so of each new one, this must not go on without end.
const renewEvery = time.Hour

func suspended(in Input) (rotation.Decision, bool) {
	if !in.Suspended {
		return rotation.Decision{}, false
	}
	return rotation.Decision{Action: rotation.ActionBlocked, Problem: &problem.Problem{Reason: v1alpha1.ReasonSuspended}}, true
}

func intentLeft(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.Intent == nil {
		return rotation.Decision{}, false
	}
	intent, state := in.Pair.Intent, &in.Pair.State
	if intent.Spends == state.RefreshToken && (state.App != in.App || state.Owner != in.Owner.UID) {
		return rotation.Decision{}, false // The chain's token is not for this App, or not ours to spend: see below.
	}
	if in.intentMayBeAtWork() {
		decision := wait(v1alpha1.ReasonOutcomeUnknown, in.Now.Add(rotation.IntentTimeout-in.IntentSeen))
		if in.IntentAtWork {
			// Its end has us look again, and nobody knows when that is: a time that is told would be moved at each look.
			decision.At, decision.Problem.RetryAt = in.Now.Add(rotation.IntentTimeout), time.Time{}
		}
		return decision, true
	}
	if login := in.Pair.LoginFromSeed(); intent.Attempt != "" || login != "" && login != in.Seed {
		// The seed holds its token no longer, or it is a code, which is never sent again: it cannot be found out. What was there
		// before, or is in the seed now, goes on.
		return in.orBackoff(rotation.Decision{Action: rotation.ActionGiveUp}), true
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionResolve, Cause: rotation.CauseIntent, Spends: intent.Spends}), true
}

func newSeed(in Input) (rotation.Decision, bool) {
	if in.Pair != nil && in.Pair.State.PendingSeed != "" { // It waits in the pair Secret. What is in the seed comes after it.
		return in.orBackoff(rotation.Decision{Action: rotation.ActionImport, Cause: rotation.CauseNewSeed, Spends: in.Pair.State.PendingSeed}), true
	}
	if in.Seed == "" || (in.Pair != nil && in.Pair.State.KnowsSeed(in.Seed, in.App)) {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionImport, Cause: rotation.CauseNewSeed, Spends: in.Seed}), true
}

func noPair(in Input) (rotation.Decision, bool) {
	if in.Pair != nil && (in.Pair.State.HasToken() || in.Pair.State.RefreshToken != "" || in.Pair.State.Verdict != nil) {
		return rotation.Decision{}, false
	}
	return unauthorized(v1alpha1.ReasonRefreshTokenMissing), true
}

func unprovenPair(in Input) (rotation.Decision, bool) {
	switch {
	case in.Pair == nil || in.Pair.State.Owner == in.Owner.UID:
		return rotation.Decision{}, false
	case in.Vouched || in.Proof == ProofAlive:
		return in.orBackoff(rotation.Decision{Action: rotation.ActionAdopt}), true
	case in.Proof == ProofNone && in.provable():
		return in.orBackoff(rotation.Decision{Action: rotation.ActionProve}), true
	default:
		return unauthorized(v1alpha1.ReasonPairUnproven), true
	}
}

func changedApp(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.State.App == in.App {
		return rotation.Decision{}, false
	}
	decision := unauthorized(v1alpha1.ReasonAppChanged)
	decision.At = in.expiry()
	return decision, true
}

func condemned(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.State.Verdict == nil {
		return rotation.Decision{}, false
	}
	decision := unauthorized(in.Pair.State.Verdict.Reason)
	decision.At = in.expiry()
	if at := AgainAt(in, in.Pair.State.Verdict); !at.IsZero() && (decision.At.IsZero() || at.Before(decision.At)) {
		decision.At = at
	}
	return decision, true
}

func neverExpires(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.State.HasToken() || in.Pair.State.RefreshToken != "" {
		return rotation.Decision{}, false
	}
	return rotation.Decision{Action: rotation.ActionNone}, true
}

func requested(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.RefreshRequestedAt == "" || in.RefreshRequestedAt == in.Pair.State.RefreshRequestedAt {
		return rotation.Decision{}, false
	}
	if in.Now.Before(in.heldUntil()) {
		return rotation.Decision{Action: rotation.ActionNone, At: in.dueAt()}, true // Workloads may hold the token: it is made then.
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRefresh, Cause: rotation.CauseRequested, Spends: in.Pair.State.RefreshToken}), true
}

func withoutToken(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || in.Pair.State.HasToken() {
		return rotation.Decision{}, false
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRefresh, Cause: rotation.CauseNoToken, Spends: in.Pair.State.RefreshToken}), true
}

// dueAt is when a pair that expires is to be exchanged.
func (in Input) dueAt() time.Time {
	state := &in.Pair.State
	at := in.Policy.DueAt(state)
	if in.Turn.Alternates {
		at = in.Turn.DueAt
		if asked := in.RefreshRequestedAt; asked != "" && asked != state.RefreshRequestedAt && in.Turn.NotBefore.Before(at) {
			at = in.Turn.NotBefore
		}
	}
	if in.ExpiresIn != nil {
		// The same moment by the monotonic clock. It can only be earlier: a clock that was set back must not
		// let the token expire.
		if capped := in.Now.Add(*in.ExpiresIn - state.ExpiresAt.Sub(at)); capped.Before(at) {
			at = capped
		}
	}
	if hold := in.heldUntil(); at.Before(hold) {
		return hold // It is counted by the monotonic clock already.
	}
	return at
}

// heldUntil is until when workloads may hold a token that another one has replaced where they read it; zero when none does. A token that has
// expired by the monotonic clock nobody holds.
func (in Input) heldUntil() time.Time {
	if !in.Turn.Alternates {
		return time.Time{}
	}
	if in.ExpiresIn != nil {
		return backoff.Earliest(in.Turn.NotBefore, in.Now.Add(*in.ExpiresIn))
	}
	return in.Turn.NotBefore
}

func due(in Input) (rotation.Decision, bool) {
	if in.Pair == nil || !in.Pair.State.Expires() {
		return rotation.Decision{}, false
	}
	state, cause := &in.Pair.State, rotation.CauseDue
	at := in.dueAt()
	renewed := state.RenewedAt
	if renewed.After(in.Now) {
		renewed = in.Now.Add(-renewEvery) // By a clock that was ahead, and was set right since: it may be long ago.
	}
	if again := renewed.Add(renewEvery); state.AccessTokenEnded && again.Before(at) {
		// An access token can end alone: revoked as leaked, or as the eleventh of its user. Whether the refresh token
		// ended with it only an exchange can tell, and there is nothing that it could end too early.
		at, cause = again, rotation.CauseEnded
	}
	if in.Now.Before(at) && state.AccessTokenEnded {
		return wait(v1alpha1.ReasonAccessTokenEnded, at), true
	}
	if in.Now.Before(at) {
		return rotation.Decision{Action: rotation.ActionNone, At: at}, true
	}
	return in.orBackoff(rotation.Decision{Action: rotation.ActionRefresh, Cause: cause, Spends: state.RefreshToken}), true
}
