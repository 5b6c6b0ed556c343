package scope

import (
	"fmt"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
)

// Matches reports whether an account is the one that is pinned. Upper and lower case do not tell logins apart.
func Matches(p rotation.UserPin, user rotation.User) bool {
	if p.ID != 0 && p.ID != user.ID {
		return false
	}
	return p.Login == "" || strings.EqualFold(p.Login, user.Login)
}

// Account is how sentences name the account that spec.user asks for.
func Account(user *v1alpha1.UserSelector) string {
	if user.Login != "" {
		return user.Login
	}
	return fmt.Sprintf("the account with the id %d", user.ID)
}
