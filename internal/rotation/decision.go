package rotation

import (
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// IntentTimeout is how long somebody else's intent is left alone, counted on the local monotonic clock from when
// this process first saw it: the longest time in which its holder can still be sending or reading.
const IntentTimeout = FenceTimeout + ExchangeTimeout

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
	// ActionDisown: trust a pair no longer that was put back to an older state.
	ActionDisown
	// ActionProve: ask GitHub whether the access token of a restored pair is alive.
	ActionProve
	// ActionGiveUp: end the import of a login of unknown outcome whose token the seed does not hold any more.
	ActionGiveUp
	// ActionRevoke: end the login at GitHub, as is asked for in the name of its account.
	ActionRevoke
	// ActionImport: exchange the seed's token.
	ActionImport
	// ActionRefresh: exchange the chain's token.
	ActionRefresh
	// ActionOffer: begin an attempt to log in by the web flow.
	ActionOffer
	// ActionRedeem: redeem the code of such an attempt.
	ActionRedeem
	// ActionResolve: find out what became of an exchange, by making it again: with the chain's token, or that in the seed.
	ActionResolve
)

// Exchanges reports whether the action sends a token to GitHub.
func (a Action) Exchanges() bool {
	return a == ActionImport || a == ActionRefresh || a == ActionResolve || a == ActionRedeem
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
	CauseAgain     Cause = "RefusedOnce"
	CauseIntent    Cause = "UnresolvedIntent"
	CauseWebFlow   Cause = "WebFlow"
)

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
	// At is when to look again: at once when it has passed; zero when only a change can make a difference.
	At time.Time
}
