package scope

import (
	"strings"

	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Matches reports whether an account is the one that is pinned. Upper and lower case do not tell logins apart.
func Matches(p rotation.UserPin, user rotation.User) bool {
	if p.ID != 0 && p.ID != user.ID {
		return false
	}
	return p.Login == "" || strings.EqualFold(p.Login, user.Login)
}
