package revocation

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/controllers/words"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// EventRevocationFailed is the reason of the event that tells of a token which could not be revoked.
const EventRevocationFailed = "RevocationFailed"

// The types of events in Kubernetes' API: that somebody should act on, and that nobody need.
const eventWarning, eventNormal = "Warning", "Normal"

// remains is what is left of a pair that was not revoked. It holds no token.
type remains struct {
	// host is the App's; empty when the pair could not even be read.
	host string
	// access and refresh report whether there is such a token.
	access, refresh bool
	// expires is when the access token dies by itself; zero when never.
	expires time.Time
}

func remainsOf(p pair) remains {
	return remains{host: p.host(), access: !p.access.IsZero(), refresh: !p.refresh.IsZero(), expires: p.expires}
}

// lives says which tokens live on, and until when: empty, or sentences after a blank.
func (m remains) lives(now time.Time) string {
	text := ""
	switch {
	case !m.access:
	case m.expires.IsZero():
		text = " The access token does not expire."
	case now.Before(m.expires):
		text = " The access token lives until " + words.Time(m.expires) + " at most."
	case now.Before(m.expires.Add(clockDoubt)):
		text = " By the operator's clock the access token has expired."
	}
	if m.refresh {
		text += " The refresh token may live for months."
	}
	return text
}

// giveUp counts a pair that was not revoked, and tells of it by an event when there is a resource to tell of.
func (r *Revoker) giveUp(token *v1alpha1.GitHubUserToken, living remains, err error) {
	revocations.WithLabelValues(resultGivenUp).Inc()
	if token == nil || r.options.Events == nil {
		return
	}
	where := "in the settings of its account at GitHub, under Applications"
	if host := cmp.Or(living.host, r.options.Host(context.Background(), token)); host != "" {
		where = "at https://" + host + "/settings/apps/authorizations"
	}
	r.options.Events.Eventf(token, nil, eventWarning, EventRevocationFailed, "Revoke",
		"The token was not revoked at GitHub (%s).%s To revoke it now, its owner can revoke the App %s.",
		why(token, err), living.lives(r.options.Clock.Now()), where)
}

// why says why a token was not revoked. What is wrong with the App of somebody else is not told.
func why(token *v1alpha1.GitHubUserToken, err error) string {
	failed, isGitHubs := errors.AsType[*github.Error](err)
	if ref := token.Spec.App.Ref; ref != nil && ref.Kind == v1alpha1.KindClusterGitHubApp && isGitHubs && words.IsOfApp(failed) {
		return scope.AppNotUsable
	}
	return words.Of(err)
}
