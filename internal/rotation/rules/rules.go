package rules

import (
	"slices"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/problem"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// rule is one check of Decide.
type rule struct {
	name  string
	check func(Input) (rotation.Decision, bool)
}

// Names of the rules that find that a person has to log in.
const (
	// NoPair: there is neither a pair nor a usable seed.
	NoPair = "no pair"
	// Unproven: nothing proves that a restored pair is the current one.
	Unproven = "unproven pair"
	// ChangedApp: the pair belongs to another App.
	ChangedApp = "changed App"
	// Condemned: the refresh token is of no more use.
	Condemned = "condemned"
)

// Revocation is the name of the rule by which a login is ended on request.
const Revocation = "revocation"

// beforeLogins, webLogins and ofChain are the rules, in the order in which they matter. None relies on an earlier one for its own safety.
var (
	beforeLogins = []rule{
		{"newer format", newerFormat},     // what a newer version has written is left alone
		{"retained", retained},            // a pair that an earlier resource of this name left for us
		{"reclaimable", reclaimable},      // a pair that came back from a backup is ours, if not yet to be trusted
		{"foreign Secret", foreignSecret}, // never touch what is not ours
		{"garbled state", garbledState},   // what is known of the pair is computed from its data
		{"misplaced", misplaced},          // a pair under a former name follows the spec
		{"lost Secret", lostSecret},       // a deleted Secret is put back before anything else
		{"edited", edited},                // tokens that somebody has put there by hand are taken up
		{"rolled back", rolledBack},       // an older state that somebody has put back is not to be trusted
		{Revocation, revocation},          // the end of the login is asked for
		{"suspended", suspended},          // a person wants quiet
		{"intent left", intentLeft},       // an exchange of unknown outcome is settled first
		{"new seed", newSeed},             // a new login wins over every chain
	}
	webLogins = []rule{
		{"web login", webLogin}, // somebody asks for a login, or brings its code
	}
	ofChain = []rule{
		{NoPair, noPair},                // nothing to work with
		{Unproven, unprovenPair},        // a pair that was restored from elsewhere may be old
		{ChangedApp, changedApp},        // the chain's tokens mean nothing to another App
		{"refused once", refusedOnce},   // GitHub may have been mistaken
		{Condemned, condemned},          // the refresh token is of no more use
		{"never expires", neverExpires}, // expiry is switched off: nothing to do
		{"requested", requested},        // a person asked for an exchange
		{"without token", withoutToken}, // there is no access token yet
		{"due", due},                    // the ordinary case
	}

	besideSeed = slices.Concat(webLogins, ofChain)

	rules = slices.Concat(beforeLogins, besideSeed)

	afterRevocation = slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return r.name == Revocation })
)

// Decide says what is to be done about one resource: what the first of the rules says that has something to
// say.
func Decide(in Input) rotation.Decision { return firstOf(rules, in) }

// BesideSeed is what is to be done while the token in the seed is another resource's and may not be exchanged: neither a login
// that is asked for nor the chain that is there waits until somebody has taken it out.
func BesideSeed(in Input) rotation.Decision { return firstOf(besideSeed, in) }

// AfterRevocation is what is to be done apart from ending the login on request: an exchange for another login whose outcome is unknown is
// settled as ever.
func AfterRevocation(in Input) rotation.Decision { return firstOf(afterRevocation, in) }

// firstOf is what the first of some rules says that has something to say.
func firstOf(rules []rule, in Input) rotation.Decision {
	for _, rule := range rules {
		if decision, decided := rule.check(in); decided {
			decision.Rule = rule.name
			return decision
		}
	}
	return rotation.Decision{Action: rotation.ActionNone}
}

// blocked is the decision that somebody must change something.
func blocked(reason string) rotation.Decision {
	return rotation.Decision{Action: rotation.ActionBlocked, Problem: &problem.Problem{Reason: reason, Stalled: true}}
}

// unauthorized is the decision that a person must authorize the App again.
func unauthorized(reason string) rotation.Decision {
	return rotation.Decision{Action: rotation.ActionBlocked, Problem: &problem.Problem{Reason: reason, Stalled: true, Unauthorized: true}}
}

// wait is the decision to do something at a later time.
func wait(reason string, at time.Time) rotation.Decision {
	return rotation.Decision{Action: rotation.ActionWait, At: at, Problem: &problem.Problem{Reason: reason, RetryAt: at}}
}
