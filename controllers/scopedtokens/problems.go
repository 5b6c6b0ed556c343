package scopedtokens

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/restlimit"
	"github.com/githubusertoken/github-user-token-operator/controllers/retry"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
	"github.com/githubusertoken/github-user-token-operator/internal/problem"
)

// Reasons of events.
const (
	// EventScopedTokenLost tells of a token that may be alive without anybody knowing it.
	EventScopedTokenLost = "ScopedTokenLost"
	// EventScopedTokenNotRevoked tells of a token that was given up, and works until it expires.
	EventScopedTokenNotRevoked = "ScopedTokenNotRevoked"
)

const eventWarning = "Warning"

// goesOn ends what is told of one output.
const goesOn = " The user's own token is refreshed, and other outputs are written."

// refused is the problem of an output for which GitHub makes no token. What is wrong with an App of somebody else is not told.
func refused(app scope.App, o output, failed *github.Error) *problem.Problem {
	found := &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true, Transient: failed.Class != github.Misconfigured,
	}
	switch {
	case failed.Reason == github.ScopeNotGranted:
		found.Reason, found.Stalled = v1alpha1.ReasonScopeNotGranted, true
		found.Message = fmt.Sprintf("GitHub grants no token for output %q: %s. The App must be installed on %s and reach the repositories, and both the App and the account must have the permissions. Correct spec.scopedOutputs, or have it granted at GitHub: the operator asks again every %s.",
			o.name, describe(o.spec.Scope), o.spec.Scope.Target, words.Duration(retry.Max))
	case failed.Reason == github.TokenInvalid:
		found.Message = fmt.Sprintf("GitHub makes no token for output %q: the App does not know the user's token, which is a few seconds old, has been revoked, or is that of an OAuth App. It is tried again.", o.name)
	case failed.Reason == github.NotSupported:
		found.Stalled = true
		found.Message = fmt.Sprintf("Output %q has a scope, and %s offers no scoped tokens: take it out of spec.scopedOutputs, or have the host upgraded.", o.name, failed.Host)
	case github.MayHaveIssued(failed):
		found.Message = fmt.Sprintf("GitHub's answer to the request for a token of output %q did not arrive (%s). One that may have been made is counted. It is tried again.", o.name, words.Of(failed))
	default:
		found.Message = fmt.Sprintf("GitHub makes no token for output %q: %s It is tried again.", o.name, causeOf(app, failed))
	}
	found.Message += goesOn
	return found
}

// causeOf is an error of GitHub in a sentence for whoever made the resource.
func causeOf(app scope.App, failed *github.Error) string {
	return app.Veil(&problem.Problem{Message: words.Sentence(words.Of(failed)), OfApp: words.IsOfApp(failed)}).Message
}

// describe says a scope in words.
func describe(spec *v1alpha1.OutputScope) string {
	var repositories, permissions []string
	for _, name := range spec.Repositories {
		repositories = append(repositories, string(name))
	}
	for _, id := range spec.RepositoryIDs {
		repositories = append(repositories, fmt.Sprint(id))
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Permissions)) {
		permissions = append(permissions, name+": "+string(spec.Permissions[name]))
	}
	what, where := "all permissions", "all repositories"
	if len(permissions) > 0 {
		what = listOf(permissions)
	}
	if len(repositories) > 0 {
		where = listOf(repositories)
	}
	return what + " for " + where + " of " + spec.Target
}

// maxNamed is how many of a list are named.
const maxNamed = 8

func listOf(all []string) string {
	if more := len(all) - maxNamed; more > 0 {
		return strings.Join(all[:maxNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}

// cannotMake is why no token is asked for, for all outputs alike, said of one.
func cannotMake(name string, why *problem.Problem) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true, Stalled: why.Stalled, Transient: why.Transient,
		Message: fmt.Sprintf("No token is made for output %q, which has a scope. ", name) + why.Message + goesOn,
	}
}

func noSecret() *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonClientSecretMissing, Stalled: true, OfApp: true,
		Message: "GitHub makes scoped tokens only for who sends the App's client secret, and the App has none here. Put it where the App says, or take the output out of spec.scopedOutputs.",
	}
}

func secretUnread() *problem.Problem {
	return &problem.Problem{Reason: v1alpha1.ReasonAPIServerUnavailable, Transient: true, Message: "The App's client secret could not be read. It is tried again."}
}

func hostNotAllowed(host string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonHostNotAllowed, Stalled: true, OfApp: true,
		Message: fmt.Sprintf("%s is none of the hosts that the operator may connect to. The operator's administrator sets them with --allowed-hosts.", host),
	}
}

func ofOAuthApp(name string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonOutputInvalid, Aside: true, Stalled: true,
		Message: fmt.Sprintf("Output %q has a scope, and the token is that of an OAuth App, of which GitHub makes no scoped tokens: take it out of spec.scopedOutputs, or use a GitHub App.", name) + goesOn,
	}
}

// notEnabled names the first output that is not written for that.
func notEnabled(token *v1alpha1.GitHubUserToken) *problem.Problem {
	name := ""
	all := token.AllOutputs()
	if i := slices.IndexFunc(all, func(o v1alpha1.Output) bool { return o.Scope != nil }); i >= 0 {
		name = all[i].Name
	}
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true, Stalled: true,
		Message: fmt.Sprintf("Output %q has a scope and is not written: the operator runs without --enable-scoped-outputs. Its administrator can turn them on; or take it out of spec.scopedOutputs.", name) + goesOn,
	}
}

func ofAnotherApp(name string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true,
		Message: fmt.Sprintf("No token is made for output %q: the user's token is of another App than the resource names now. One is made when there is a user's token of that App; see the other conditions for what it needs.", name) + goesOn,
	}
}

func tooNew(name string) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true, Stalled: true,
		Message: fmt.Sprintf("A newer version of the operator has written output %q, so this one leaves it alone. Upgrade the operator again, or delete the Secret.", name) + goesOn,
	}
}

func awaitsTurn(name string, now time.Time, waiting *restlimit.WaitingError) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true, Transient: true, RetryAt: now.Add(max(waiting.Until.Sub(now), time.Second)),
		Message: fmt.Sprintf("Output %q waits for its token: %s.", name, waiting.Error()) + goesOn,
	}
}

func overBudget(name string, now time.Time, spent *spentError) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenNotMade, Aside: true, RetryAt: now.Add(spent.wait),
		Message: fmt.Sprintf("Output %q waits for its token: %s. Find out who changes the spec or the Secrets of outputs again and again.", name, spent.Error()) + goesOn,
	}
}

func tooManyLost(name string, lost int, at time.Time) *problem.Problem {
	return &problem.Problem{
		Reason: v1alpha1.ReasonScopedTokenLost, Aside: true, RetryAt: at,
		Message: fmt.Sprintf("No token is asked for output %q for a while: %d that GitHub may have made within the last hour never arrived, and no more than %d scoped tokens of a resource may be alive at once, since GitHub may count them to the ten that an account can have of an App.", name, lost, maxTokens) + goesOn,
	}
}

func tooManyMade(name string, now time.Time, made makings) *problem.Problem {
	at, reason, lost := made.free, v1alpha1.ReasonScopedTokenNotMade, ""
	if at.IsZero() {
		at = now.Add(time.Minute)
	}
	if made.lost > 0 {
		reason, lost = v1alpha1.ReasonScopedTokenLost, fmt.Sprintf(" (of which %d never arrived)", made.lost)
	}
	return &problem.Problem{
		Reason: reason, Aside: true, RetryAt: at,
		Message: fmt.Sprintf("Output %q waits for its token: %d scoped tokens%s were made for this resource of late. The operator has no more made within an hour, since GitHub may refuse the account's next login or refresh by the App for one too many. Until then the output keeps what it holds, which may have ended with the user's token before. Have the token exchanged, and the outputs changed, less often.", name, maxMade, lost) + goesOn,
	}
}

func notRevoked(name, why string) string {
	return fmt.Sprintf("A scoped token of output %q that is not needed any more could not be revoked at GitHub yet (%s). It is tried again, and kept in the Secret until then.", name, why) + goesOn
}
