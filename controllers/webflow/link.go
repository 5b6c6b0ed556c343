package webflow

import (
	"crypto/rand"
	"encoding/base64"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

const (
	// linkLifetime is for how long a link is offered, and good.
	linkLifetime = 24 * time.Hour
	// pagePrefix begins the IDs of the login page's requests.
	pagePrefix = "p-"
)

// link is what is remembered of the link that a resource offers. The status alone has it otherwise: the page reads it there, and
// a process takes it up from there after a start.
type link struct {
	url     string
	expires time.Time
	// beside is the ID of the request of the page that was known when the link was made. Any other has used it.
	beside string
}

var tickets = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// newTicket is what nobody can guess in a link: 256 bits.
func newTicket() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // It never fails.
	return base64.RawURLEncoding.EncodeToString(random)
}

// Link is the link of the login page that a resource offers, or why it offers none. needed says whether a person has to log in. A link
// stays the same until it was used, or has expired: a request of the page has used the one that was offered before.
func (l *Logins) Link(s *scope.Scope, needed bool) (offered scope.Link) {
	defer func() {
		if offered.URL == "" {
			l.links.Drop(s.Token.UID)
		}
	}()
	switch {
	case s.App.Visit:
		return scope.Link{} // Whoever has begun it goes on in their browser.
	case l.options.Page == "" || !needed || !s.Token.Spec.HasLoginMethod(v1alpha1.LoginMethodWebFlow), l.options.CheckApp(s.App) != nil:
		return scope.Link{}
	case s.App.Secret == nil:
		return scope.Link{Without: noClientSecret}
	}
	if why := s.App.ForbidsLoginPage(s.Token); why != "" {
		return scope.Link{Without: why}
	}
	base := strings.TrimSuffix(l.options.Page, "/") + "/login/" + s.Token.Namespace + "/" + s.Token.Name + "?ticket="
	asked := ""
	if request := s.Web.Asked; isOfPage(request) && strings.HasPrefix(request.ID, pagePrefix) {
		asked = request.ID
	}
	l.links.With(s.Token.UID, func(known *link) {
		if known.url == "" {
			*known = linkOf(s.Token, base)
		}
		if !known.isGood(s.Now) || asked != "" && asked != known.beside {
			*known = link{url: base + newTicket(), expires: s.Now.Truncate(time.Second).Add(linkLifetime), beside: asked}
		}
		offered = scope.Link{URL: known.url, ExpiresAt: known.expires}
	})
	return offered
}

// linkOf is the link that the status of a resource tells of, if it is one of the page's.
func linkOf(token *v1alpha1.GitHubUserToken, base string) (told link) {
	status := token.Status.Authorization
	if status == nil || status.LoginURLExpirationTime == nil {
		return link{}
	}
	if ticket, ok := strings.CutPrefix(status.LoginURL, base); !ok || !tickets.MatchString(ticket) {
		return link{}
	}
	told = link{url: status.LoginURL, expires: status.LoginURLExpirationTime.Time}
	if login := token.Status.WebLogin; login != nil && strings.HasPrefix(login.RequestID, pagePrefix) {
		told.beside = login.RequestID
	}
	return told
}

// isGood reports whether a link is still to be offered. One that seems to be good for too long is by a clock that was ahead, or
// of somebody's making.
func (k link) isGood(now time.Time) bool {
	return k.url != "" && now.Before(k.expires) && k.expires.Sub(now) <= linkLifetime+weblogin.AheadBy
}

// Authorization is what status.authorization tells of the link; nil when there is none.
func Authorization(s *scope.Scope) *v1alpha1.Authorization {
	if s.Link.URL == "" {
		return nil
	}
	return &v1alpha1.Authorization{LoginURL: s.Link.URL, LoginURLExpirationTime: new(metav1.NewTime(s.Link.ExpiresAt))}
}
