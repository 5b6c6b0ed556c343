package rotation

import "strings"

// Matches reports whether an account is the one that is pinned. Upper and lower case do not tell logins apart.
func (p UserPin) Matches(user User) bool {
	if p.ID != 0 && p.ID != user.ID {
		return false
	}
	return p.Login == "" || strings.EqualFold(p.Login, user.Login)
}
