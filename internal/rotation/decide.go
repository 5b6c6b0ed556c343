package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Settle is how long somebody else's intent is left alone, counted on the local monotonic clock from when
// this process first saw it: the longest time in which its holder can still be sending or reading.
const Settle = FenceTimeout + ExchangeTimeout

// Input is all that Decide looks at. Every part of it was gathered before.
type Input struct {
	Owner  Owner
	App    string
	Policy Policy
	// Suspended stops every exchange.
	Suspended bool
	// RefreshRequestedAt is the value of the annotation, empty when it is not set.
	RefreshRequestedAt string
	// Pair is the pair Secret's metadata; nil when there is no such Secret.
	Pair *Pair
	// Backup says that a backup of the pair exists.
	Backup bool
	// Seed names the refresh token in the seed Secret, when it had to be looked at; empty otherwise.
	Seed credential.Fingerprint
	// Proof is what GitHub says of a pair that was restored from elsewhere.
	Proof Proof
	// Vouched says that a person has said that such a pair is the current one.
	Vouched bool
	// Me is this process.
	Me Holder
	// Now is the wall clock.
	Now time.Time
	// IntentSeen is for how long this process has been seeing the pair's intent.
	IntentSeen time.Duration
	// ExpiresIn is how long the access token will live by the monotonic clock, when this process has known
	// it long enough to tell. It guards against a wall clock that jumps back.
	ExpiresIn *time.Duration
	// NotBefore is when the next try may be made after a failure; zero when nothing failed.
	NotBefore time.Time
}

// Action is what is to be done now.
type Action int

const (
	// ActionNone: nothing is due.
	ActionNone Action = iota
	// ActionBlocked: something is due, but a person must change something first; Reason says what.
	ActionBlocked
	// ActionWait: something is due, but not before Decision.At.
	ActionWait
	// ActionRestore: put the pair back, from the Secret that is being deleted or from its backup.
	ActionRestore
	// ActionAdopt: take up a pair that was retained for a resource of this name.
	ActionAdopt
	// ActionReclaim: take hold of a pair Secret that was restored from a backup. Its pair is not trusted yet.
	ActionReclaim
	// ActionProve: ask GitHub whether the access token of a restored pair is alive.
	ActionProve
	// ActionImport: exchange the seed's token.
	ActionImport
	// ActionRefresh: exchange the chain's token.
	ActionRefresh
	// ActionResolve: find out what became of an exchange, by making it again.
	ActionResolve
)

// Exchanges says whether the action sends a token to GitHub.
func (a Action) Exchanges() bool {
	return a == ActionImport || a == ActionRefresh || a == ActionResolve
}

// Cause says why an exchange is made. It is for logs and metrics.
type Cause string

// Causes of an exchange.
const (
	CauseNewSeed   Cause = "NewSeed"
	CauseNoToken   Cause = "NoAccessToken"
	CauseRequested Cause = "Requested"
	CauseDue       Cause = "Due"
	CauseEnded     Cause = "AccessTokenEnded"
	CauseIntent    Cause = "UnresolvedIntent"
)

// Obstacle says what stands in the way of an action.
type Obstacle string

// Obstacles. The controller turns them into condition reasons.
const (
	ObstacleNone          Obstacle = ""
	ObstacleSuspended     Obstacle = "Suspended"
	ObstacleNotOwned      Obstacle = "SecretNotOwned"
	ObstacleVerdict       Obstacle = "Verdict"
	ObstacleAppChanged    Obstacle = "AppChanged"
	ObstacleUnproven      Obstacle = "PairUnproven"
	ObstacleNoSeed        Obstacle = "NoSeed"
	ObstacleForeignIntent Obstacle = "ForeignIntent"
	ObstacleBackoff       Obstacle = "Backoff"
	ObstacleTokenEnded    Obstacle = "AccessTokenEnded"
)

// renewEvery is how often at most a pair is got because an access token has ended ahead of its expiry: where GitHub
// goes on saying so of each new one, this must not go on without end.
const renewEvery = time.Hour

// Decision is what Decide found.
type Decision struct {
	Action   Action
	Cause    Cause
	Obstacle Obstacle
	// Spends names the token to exchange, for the actions that exchange.
	Spends credential.Fingerprint
	// At is when to look again; zero when only a change can make a difference.
	At time.Time
}

// Decide says what is to be done about one resource. The checks stand in the order in which they matter,
// and the first that has something to say decides; none relies on an earlier one for its own safety.
func Decide(in Input) Decision {
	for _, check := range []func(Input) (Decision, bool){
		retained,      // a pair that an earlier resource of this name left for us
		restored,      // a pair that came back from a backup is ours, if not yet to be trusted
		foreignSecret, // never touch what is not ours
		lostSecret,    // a deleted Secret is put back before anything else
		suspended,     // a person wants quiet
		intentLeft,    // an exchange of unknown outcome is settled first
		newSeed,       // a new login wins over every chain
		noPair,        // nothing to work with
		unprovenPair,  // a pair that was restored from elsewhere may be old
		changedApp,    // the chain's tokens mean nothing to another App
		condemned,     // the refresh token is of no more use
		neverExpires,  // expiry is switched off: nothing to do
		requested,     // a person asked for an exchange
		withoutToken,  // there is no access token yet
		due,           // the ordinary case
	} {
		if decision, decided := check(in); decided {
			return decision
		}
	}
	return Decision{Action: ActionNone}
}

// retained takes up the pair that a deleted resource of the same name, seed and App has left behind, and
// the resource's own pair when somebody took its owner reference off.
func retained(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.Controlled || !in.Pair.Orphan {
		return Decision{}, false
	}
	state := &in.Pair.State
	if state.Owner == in.Owner.UID && !in.Pair.isRetained() {
		return in.orBackoff(Decision{Action: ActionAdopt}), true
	}
	sameSeed := in.Seed == "" || state.KnowsSeed(in.Seed, in.App)
	if !in.Pair.isRetained() || state.OwnerName != in.Owner.Name || state.App != in.App || !sameSeed {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionAdopt}), true
}

func foreignSecret(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.Controlled {
		return Decision{}, false
	}
	return Decision{Action: ActionBlocked, Obstacle: ObstacleNotOwned}, true
}

func lostSecret(in Input) (Decision, bool) {
	if in.Backup || (in.Pair != nil && in.Pair.Deleting) {
		return in.orBackoff(Decision{Action: ActionRestore}), true
	}
	return Decision{}, false
}

func suspended(in Input) (Decision, bool) {
	if !in.Suspended {
		return Decision{}, false
	}
	return Decision{Action: ActionBlocked, Obstacle: ObstacleSuspended}, true
}

func intentLeft(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.Intent == nil {
		return Decision{}, false
	}
	intent, state := in.Pair.Intent, &in.Pair.State
	if intent.Spends == state.RefreshToken && (state.App != in.App || state.Owner != in.Owner.UID) {
		return Decision{}, false // The chain's token is not for this App, or not ours to spend: see below.
	}
	if intent.Standing(in.Me) == StandingForeign && in.IntentSeen < Settle {
		return Decision{Action: ActionWait, Obstacle: ObstacleForeignIntent, At: in.Now.Add(Settle - in.IntentSeen)}, true
	}
	return in.orBackoff(Decision{Action: ActionResolve, Cause: CauseIntent, Spends: intent.Spends}), true
}

func newSeed(in Input) (Decision, bool) {
	if in.Pair != nil && in.Pair.State.PendingSeed != "" && (in.Seed == "" || in.Seed == in.Pair.State.PendingSeed) {
		return in.orBackoff(Decision{Action: ActionImport, Cause: CauseNewSeed, Spends: in.Pair.State.PendingSeed}), true
	}
	if in.Seed == "" || (in.Pair != nil && in.Pair.State.KnowsSeed(in.Seed, in.App)) {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionImport, Cause: CauseNewSeed, Spends: in.Seed}), true
}

func noPair(in Input) (Decision, bool) {
	if in.Pair != nil && (in.Pair.State.HasToken() || in.Pair.State.RefreshToken != "" || in.Pair.State.Verdict != nil) {
		return Decision{}, false
	}
	return Decision{Action: ActionBlocked, Obstacle: ObstacleNoSeed}, true
}

func unprovenPair(in Input) (Decision, bool) {
	switch {
	case in.Pair == nil || in.Pair.State.Owner == in.Owner.UID:
		return Decision{}, false
	case in.Vouched || in.Proof == ProofAlive:
		return Decision{Action: ActionAdopt}, true
	case in.Proof == ProofNone && in.provable():
		return in.orBackoff(Decision{Action: ActionProve}), true
	default:
		return Decision{Action: ActionBlocked, Obstacle: ObstacleUnproven}, true
	}
}

func changedApp(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.State.App == in.App {
		return Decision{}, false
	}
	return Decision{Action: ActionBlocked, Obstacle: ObstacleAppChanged, At: in.Pair.State.ExpiresAt}, true
}

func condemned(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.State.Verdict == nil {
		return Decision{}, false
	}
	return Decision{Action: ActionBlocked, Obstacle: ObstacleVerdict, At: in.Pair.State.ExpiresAt}, true
}

func neverExpires(in Input) (Decision, bool) {
	if in.Pair == nil || !in.Pair.State.HasToken() || in.Pair.State.RefreshToken != "" {
		return Decision{}, false
	}
	return Decision{Action: ActionNone}, true
}

func requested(in Input) (Decision, bool) {
	if in.Pair == nil || in.RefreshRequestedAt == "" || in.RefreshRequestedAt == in.Pair.State.RefreshRequestedAt {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionRefresh, Cause: CauseRequested, Spends: in.Pair.State.RefreshToken}), true
}

func withoutToken(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.State.HasToken() {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionRefresh, Cause: CauseNoToken, Spends: in.Pair.State.RefreshToken}), true
}

func due(in Input) (Decision, bool) {
	if in.Pair == nil || !in.Pair.State.Expires() {
		return Decision{}, false
	}
	state, cause := &in.Pair.State, CauseDue
	at := in.Policy.DueAt(state)
	if in.ExpiresIn != nil {
		// The same moment by the monotonic clock. It can only be earlier: a clock that was set back must not
		// let the token expire.
		at = earlier(at, in.Now.Add(*in.ExpiresIn-state.ExpiresAt.Sub(at)))
	}
	if again := state.RenewedAt.Add(renewEvery); state.AccessTokenEnded && again.Before(at) {
		// An access token can end alone: revoked as leaked, or as the eleventh of its user. Whether the refresh token
		// ended with it only an exchange can tell, and there is nothing that it could end too early.
		at, cause = again, CauseEnded
	}
	if in.Now.Before(at) && state.AccessTokenEnded {
		return Decision{Action: ActionWait, Obstacle: ObstacleTokenEnded, At: at}, true
	}
	if in.Now.Before(at) {
		return Decision{Action: ActionNone, At: at}, true
	}
	return in.orBackoff(Decision{Action: ActionRefresh, Cause: cause, Spends: state.RefreshToken}), true
}

// orBackoff puts an action off while the last failure is too recent.
func (in Input) orBackoff(decision Decision) Decision {
	if !in.Now.Before(in.NotBefore) {
		return decision
	}
	decision.Action, decision.Obstacle, decision.At = ActionWait, ObstacleBackoff, in.NotBefore
	return decision
}
