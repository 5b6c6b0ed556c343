package tokencheck

import (
	"errors"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// barring are GitHub's answers to a token that it knows, by which the account may do nothing at all.
var barring = map[github.Reason]bool{
	github.AccountSuspended: true, github.BillingIssue: true, github.UnverifiedEmail: true,
}

// standingOf is what GitHub's error says of a token beside whether it is alive; zero when nothing is known of it.
func standingOf(failed *github.Error) scope.Standing {
	switch {
	case barring[failed.Reason]:
		return scope.Standing{Reason: words.ReasonOf(failed), Message: words.Barred(failed)}
	case failed.Reason == github.SingleSignOn, failed.Reason == github.AddressNotPermitted:
		return scope.Standing{Message: words.Sentence(failed.Error()) + " Until then the operator cannot check the token."}
	default:
		return scope.Standing{}
	}
}

// Standing is what GitHub has last said of the access token of a resource beside whether it is alive. Before this process
// has asked, it is what the status says: it tells nothing but reports, and what it says is checked first.
func (c *Checks) Standing(s *scope.Scope) scope.Standing {
	if _, ok := targetOf(s); !ok {
		return scope.Standing{}
	}
	standing := told(s.Token)
	c.notes.Peek(s.Token.UID, func(n *note) { standing = n.standing })
	return standing
}

// told is what the status says of an account that may do nothing.
func told(token *v1alpha1.GitHubUserToken) scope.Standing {
	for _, c := range token.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Status == "False" && strings.HasPrefix(c.Message, words.BarredPrefix) {
			return scope.Standing{Reason: c.Reason, Message: c.Message}
		}
	}
	return scope.Standing{}
}

// bar takes GitHub's answer that the account may do nothing, and reports whether it is to be believed: when GitHub has said
// so before.
func bar(n note, t target, standing scope.Standing) (note, bool) {
	if !n.barredOnce && !n.standing.IsBarred() {
		n.barredOnce = true
		return n, false
	}
	n.standing, n.standingOf = standing, t.token
	return n, true
}

// stand takes what an answer says beside whether the token is alive. One that says nothing changes nothing, and one that
// tells of an organization does not say that the account may do something again.
func stand(n note, found answer, standing scope.Standing) note {
	switch {
	case found == refused, found == unknown && (standing == scope.Standing{} || n.standing.IsBarred()):
	case found == barred:
	case found == unknown:
		n.standing = standing
	default:
		n.standing, n.standingOf, n.barredOnce = standing, "", false
	}
	return n
}

// barringOf is the standing of an account that may do nothing, by an error of GitHub's; ok is false when it is another.
func barringOf(err error) (standing scope.Standing, ok bool) {
	failed, ok := errors.AsType[*github.Error](err)
	if !ok {
		return scope.Standing{}, false
	}
	standing = standingOf(failed)
	return standing, standing.IsBarred()
}
