package scope

import (
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const (
	// visitTime is for how long the login of a visit is left to the login page. That reads within seconds whose it is, and deletes the visit; what it
	// finds left it deletes a minute after the login, and looks for that each minute.
	visitTime = 3 * time.Minute
	// visitAge is how old a visit may be that has a token, where it is not known since when.
	visitAge = 20 * time.Minute
)

// IsVisit reports whether a resource is a visit of the login page: somebody proves by it whose account is theirs. The operator's own namespace is
// where the page makes them, and nobody else makes anything there but those who administer it. Empty is no namespace.
func IsVisit(token *v1alpha1.GitHubUserToken, own string) bool {
	return own != "" && token.Namespace == own && strings.HasPrefix(token.Name, v1alpha1.VisitPrefix)
}

// VisitEndsAt is when the login of a visit is ended here, if its page has not done so before: that may have died, or may have been taken away. Zero
// for all other resources, and where there is no token.
func (s *Scope) VisitEndsAt() time.Time {
	state := s.Stored()
	if !s.App.OfVisit || state == nil || !state.HasToken() && state.RefreshToken == "" {
		return time.Time{}
	}
	at := s.Token.CreationTimestamp.Add(visitAge)
	if login := state.Login; login != nil && !login.At.IsZero() && login.At.Add(visitTime).Before(at) {
		at = login.At.Add(visitTime)
	}
	return at
}

// IsLeftVisit reports whether a visit still has a token that it should not have any more.
func (s *Scope) IsLeftVisit() bool {
	at := s.VisitEndsAt()
	return !at.IsZero() && !s.Now.Before(at)
}
