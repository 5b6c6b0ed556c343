package webflow

import (
	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/logins"
	"github.com/githubusertoken/github-user-token-operator/controllers/scope"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation/weblogin"
)

// lapse is the attempt whose expiry was counted last.
type lapse struct{ attempt string }

// CountExpired counts an attempt whose time is over. Nothing stores that, so that it is counted for as long after as it has lasted, and
// once by each process.
func (l *Logins) CountExpired(s *scope.Scope) {
	attempt := attemptOf(s)
	if attempt == nil || resultOf(s, attempt) != v1alpha1.WebLoginExpired || s.Now.Sub(attempt.ExpiresAt).Abs() > weblogin.Lifetime {
		return
	}
	l.expired.With(s.Token.UID, func(known *lapse) {
		if known.attempt != attempt.ID {
			known.attempt = attempt.ID
			logins.CountAs(logins.Web, logins.CodeEnded)
		}
	})
}
