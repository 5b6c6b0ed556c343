package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
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
	// Misplaced reports that the pair stands under a former name and is to move to the one that is asked for.
	Misplaced bool
	// Duplicate reports that there is a pair Secret of the resource under the name that is asked for as well.
	Duplicate bool
	// MoveNotBefore is when that may be tried again; zero when nothing is known to be in its way.
	MoveNotBefore time.Time
	// Edited reports that somebody else has written the pair Secret since this process last looked at its data.
	Edited bool
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
	// IntentAtWork reports that this very process is at work under the intent: for a former resource, which has left the
	// pair to this one.
	IntentAtWork bool
	// ExpiresIn is how long the access token will live by the monotonic clock, when this process has known
	// it long enough to tell. It guards against a wall clock that jumps back.
	ExpiresIn *time.Duration
	// Failure is why the last try came to nothing, with the time of the next one; nil when nothing failed.
	Failure *problem.Problem
}

// Action is what is to be done now.
type Action int

const (
	// ActionNone: nothing is due.
	ActionNone Action = iota
	// ActionBlocked: something is due, but somebody must change something first; Problem says what.
	ActionBlocked
	// ActionWait: something is due, but not before Decision.At; Problem says why.
	ActionWait
	// ActionRecover: compute a state that an edit has garbled from the Secret's data.
	ActionRecover
	// ActionMove: bring the pair to the name that the spec asks for.
	ActionMove
	// ActionRestore: put the pair back, from the Secret that is being deleted or from its backup.
	ActionRestore
	// ActionTakeUp: bring the state into line with tokens that somebody may have edited.
	ActionTakeUp
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

// Exchanges reports whether the action sends a token to GitHub.
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

// renewEvery is how often at most a pair is got because an access token has ended ahead of its expiry: where GitHub
// goes on saying so of each new one, this must not go on without end.
const renewEvery = time.Hour

// Decision is what Decide found.
type Decision struct {
	Action Action
	Cause  Cause
	// Rule names the rule that decided; empty when none had anything to say.
	Rule string
	// Problem is what stands in the way, for ActionBlocked and ActionWait. Its message is empty where it depends
	// on the spec.
	Problem *problem.Problem
	// Spends names the token to exchange, for the actions that exchange.
	Spends credential.Fingerprint
	// At is when to look again; zero when only a change can make a difference.
	At time.Time
}

// rule is one check of Decide.
type rule struct {
	name  string
	check func(Input) (Decision, bool)
}

// Names of the rules that find that a person has to log in.
const (
	// RuleNoPair: there is neither a pair nor a usable seed.
	RuleNoPair = "no pair"
	// RuleUnproven: nothing proves that a restored pair is the current one.
	RuleUnproven = "unproven pair"
	// RuleChangedApp: the pair belongs to another App.
	RuleChangedApp = "changed App"
	// RuleCondemned: the refresh token is of no more use.
	RuleCondemned = "condemned"
)

// rules stand in the order in which they matter. None relies on an earlier one for its own safety.
var rules = [...]rule{
	{"newer format", newerFormat},     // what a newer version has written is left alone
	{"retained", retained},            // a pair that an earlier resource of this name left for us
	{"restored", restored},            // a pair that came back from a backup is ours, if not yet to be trusted
	{"foreign Secret", foreignSecret}, // never touch what is not ours
	{"garbled state", garbledState},   // what is known of the pair is computed from its data
	{"misplaced", misplaced},          // a pair under a former name follows the spec
	{"lost Secret", lostSecret},       // a deleted Secret is put back before anything else
	{"edited", edited},                // tokens that somebody has put there by hand are taken up
	{"suspended", suspended},          // a person wants quiet
	{"intent left", intentLeft},       // an exchange of unknown outcome is settled first
	{"new seed", newSeed},             // a new login wins over every chain
	{RuleNoPair, noPair},              // nothing to work with
	{RuleUnproven, unprovenPair},      // a pair that was restored from elsewhere may be old
	{RuleChangedApp, changedApp},      // the chain's tokens mean nothing to another App
	{RuleCondemned, condemned},        // the refresh token is of no more use
	{"never expires", neverExpires},   // expiry is switched off: nothing to do
	{"requested", requested},          // a person asked for an exchange
	{"without token", withoutToken},   // there is no access token yet
	{"due", due},                      // the ordinary case
}

// Decide says what is to be done about one resource: what the first of the rules says that has something to
// say.
func Decide(in Input) Decision {
	for _, rule := range rules {
		if decision, decided := rule.check(in); decided {
			decision.Rule = rule.name
			return decision
		}
	}
	return Decision{Action: ActionNone}
}

// blocked is the decision that somebody must change something.
func blocked(reason string) Decision {
	return Decision{Action: ActionBlocked, Problem: &problem.Problem{Reason: reason, Stalled: true}}
}

// unauthorized is the decision that a person must authorize the App again.
func unauthorized(reason string) Decision {
	return Decision{Action: ActionBlocked, Problem: &problem.Problem{Reason: reason, Stalled: true, Unauthorized: true}}
}

// wait is the decision to do something at a later time.
func wait(reason string, at time.Time) Decision {
	return Decision{Action: ActionWait, At: at, Problem: &problem.Problem{Reason: reason, RetryAt: at}}
}

// newerFormat leaves a chain alone that a newer version of the operator has written. What it means is not
// known here, and an exchange on the strength of a guess could not be taken back.
func newerFormat(in Input) (Decision, bool) {
	if in.Pair == nil || !in.Pair.isNewer() {
		return Decision{}, false
	}
	return blocked(v1alpha1.ReasonStateFormatTooNew), true
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
	return blocked(v1alpha1.ReasonSecretNotOwned), true
}

// garbledState has a state that an edit has made unreadable computed anew, before anything is done on the
// strength of it.
func garbledState(in Input) (Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || !in.Pair.LacksState() {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionRecover}), true
}

// misplaced brings the pair to the name that the spec asks for. An exchange whose outcome is unknown is
// settled under the former name first, and while somebody else's Secret is in the way the chain goes on there. Where there
// are two Secrets already they become one first, as soon as nobody can be at work in the former: its token may
// be one that the other's pair was got for.
func misplaced(in Input) (Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || !in.Misplaced || !in.Duplicate && in.Now.Before(in.MoveNotBefore) {
		return Decision{}, false
	}
	if in.Pair.Intent != nil && (!in.Duplicate || in.intentMayBeAtWork()) {
		return Decision{}, false
	}
	if in.Now.Before(in.MoveNotBefore) { // Which of the two is the newer is not known: no token of either is sent.
		return wait(v1alpha1.ReasonExchanging, in.MoveNotBefore), true
	}
	return Decision{Action: ActionMove}, true
}

// intentMayBeAtWork reports whether somebody may still be at work on the pair's intent.
func (in Input) intentMayBeAtWork() bool {
	return in.Pair.Intent.Standing(in.Me) == StandingForeign && in.IntentSeen < Settle || in.IntentAtWork
}

func lostSecret(in Input) (Decision, bool) {
	if in.Backup || (in.Pair != nil && in.Pair.Deleting) {
		return in.orBackoff(Decision{Action: ActionRestore}), true
	}
	return Decision{}, false
}

// edited has the data looked at when somebody else has written the Secret: they may have edited its tokens,
// which metadata does not tell.
func edited(in Input) (Decision, bool) {
	if in.Pair == nil || !in.Pair.Controlled || in.Pair.Deleting || !in.Edited {
		return Decision{}, false
	}
	return in.orBackoff(Decision{Action: ActionTakeUp}), true
}

func suspended(in Input) (Decision, bool) {
	if !in.Suspended {
		return Decision{}, false
	}
	return Decision{Action: ActionBlocked, Problem: &problem.Problem{Reason: v1alpha1.ReasonSuspended}}, true
}

func intentLeft(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.Intent == nil {
		return Decision{}, false
	}
	intent, state := in.Pair.Intent, &in.Pair.State
	if intent.Spends == state.RefreshToken && (state.App != in.App || state.Owner != in.Owner.UID) {
		return Decision{}, false // The chain's token is not for this App, or not ours to spend: see below.
	}
	if in.intentMayBeAtWork() {
		return wait(v1alpha1.ReasonOutcomeUnknown, in.Now.Add(max(Settle-in.IntentSeen, time.Second))), true
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
	return unauthorized(v1alpha1.ReasonRefreshTokenMissing), true
}

func unprovenPair(in Input) (Decision, bool) {
	switch {
	case in.Pair == nil || in.Pair.State.Owner == in.Owner.UID:
		return Decision{}, false
	case in.Vouched || in.Proof == ProofAlive:
		return in.orBackoff(Decision{Action: ActionAdopt}), true
	case in.Proof == ProofNone && in.provable():
		return in.orBackoff(Decision{Action: ActionProve}), true
	default:
		return unauthorized(v1alpha1.ReasonPairUnproven), true
	}
}

func changedApp(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.State.App == in.App {
		return Decision{}, false
	}
	decision := unauthorized(v1alpha1.ReasonAppChanged)
	decision.At = in.Pair.State.ExpiresAt
	return decision, true
}

func condemned(in Input) (Decision, bool) {
	if in.Pair == nil || in.Pair.State.Verdict == nil {
		return Decision{}, false
	}
	decision := unauthorized(in.Pair.State.Verdict.Reason)
	decision.At = in.Pair.State.ExpiresAt
	return decision, true
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
		return wait(v1alpha1.ReasonAccessTokenEnded, at), true
	}
	if in.Now.Before(at) {
		return Decision{Action: ActionNone, At: at}, true
	}
	return in.orBackoff(Decision{Action: ActionRefresh, Cause: cause, Spends: state.RefreshToken}), true
}

// orBackoff puts an action off while the last failure is too recent.
func (in Input) orBackoff(decision Decision) Decision {
	if in.Failure == nil || !in.Now.Before(in.Failure.RetryAt) {
		return decision
	}
	decision.Action, decision.Problem, decision.At = ActionWait, in.Failure, in.Failure.RetryAt
	return decision
}
