package rules

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/turns"
)

// Input is all that Decide looks at. Every part of it was gathered before.
type Input struct {
	Owner  rotation.Owner
	App    string
	Policy rotation.Policy
	// Turn says when the chain is exchanged, where there is another one with which it takes turns.
	Turn turns.Plan
	// Suspended stops every exchange.
	Suspended bool
	// RefreshRequestedAt is the value of the annotation, empty when it is not set.
	RefreshRequestedAt string
	// Pair is the pair Secret's metadata; nil when there is no such Secret.
	Pair *rotation.Pair
	// Misplaced reports that the pair stands under a former name and is to move to the one that is asked for.
	Misplaced bool
	// Duplicate reports that there is a pair Secret of the resource under the name that is asked for as well.
	Duplicate bool
	// MoveNotBefore is when that may be tried again; zero when nothing is known to be in its way.
	MoveNotBefore time.Time
	// RestoreNotBefore is when a pair Secret that was deleted may be put back, after the API server has refused that; zero when
	// nothing is known to be in its way.
	RestoreNotBefore time.Time
	// Edited reports that somebody else has written the pair Secret since this process last looked at its data.
	Edited bool
	// RolledBack reports that there was a newer pair than the one that stands in the Secret now, by what this process
	// remembers or the status tells. Anybody may write a status: this raises a doubt, which GitHub settles.
	RolledBack bool
	// Backup says that a backup of the pair exists.
	Backup bool
	// Seed names the refresh token in the seed Secret, when it had to be looked at; empty otherwise. While a login is being
	// imported from there it is looked at.
	Seed credential.Fingerprint
	// Web is what is known of logins by the web flow.
	Web WebLogin
	// RevocationAsked reports that the revocation of the login at which the pair stands is asked for, in the name of its account or because the
	// resource is a visit that was left.
	RevocationAsked bool
	// Proof is what GitHub says of a pair that was restored from elsewhere.
	Proof Proof
	// Vouched says that a person has said that such a pair is the current one.
	Vouched bool
	// Me is this process.
	Me rotation.Holder
	// Now is the wall clock.
	Now time.Time
	// IntentSeen is for how long this process has been seeing the pair's intent.
	IntentSeen time.Duration
	// IntentAtWork reports that this very process is at work under the intent: for a former resource, which has left the
	// pair to this one.
	IntentAtWork bool
	// ExpiresIn is how long the access token will live by the monotonic clock, when this process has known
	// it long enough to tell. It guards against a wall clock that jumps back.
	ExpiresIn *time.Duration
	// Failure is why the last try came to nothing, with the time of the next one; nil when nothing failed.
	Failure *problem.Problem
}

// expiry is when the access token expires and the report changes; zero when it does not, or has.
func (in Input) expiry() time.Time {
	if at := in.Pair.State.ExpiresAt; in.Now.Before(at) {
		return at
	}
	return time.Time{}
}

// intentMayBeAtWork reports whether somebody may still be at work on the pair's intent.
func (in Input) intentMayBeAtWork() bool {
	return in.Pair.Intent.Standing(in.Me) == rotation.StandingForeign && in.IntentSeen < rotation.IntentTimeout || in.IntentAtWork
}

// provable reports whether GitHub can be asked for a proof: not about an access token that has expired.
func (in Input) provable() bool {
	state := &in.Pair.State
	return state.HasToken() && state.App == in.App && (!state.Expires() || in.Now.Before(state.ExpiresAt))
}

// orBackoff puts an action off while the last failure is too recent.
func (in Input) orBackoff(decision rotation.Decision) rotation.Decision {
	if in.Failure == nil || !in.Now.Before(in.Failure.RetryAt) {
		return decision
	}
	decision.Action, decision.Problem, decision.At = rotation.ActionWait, in.Failure, in.Failure.RetryAt
	return decision
}
