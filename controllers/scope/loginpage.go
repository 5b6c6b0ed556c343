package scope

import (
	"fmt"
	"slices"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// Accounts are those that a namespace may ask to log in by the login page.
type Accounts []v1alpha1.AllowedAccounts

// Allow reports whether an account is among them: what spec.user names, by its login or by its id. GitHub is asked for both where both
// are named, so either will do.
func (a Accounts) Allow(user *v1alpha1.UserSelector) bool {
	return slices.ContainsFunc(a, func(allowed v1alpha1.AllowedAccounts) bool {
		return user.ID != 0 && slices.Contains(allowed.IDs, user.ID) ||
			slices.ContainsFunc(allowed.Logins, func(pattern string) bool { return matchesLogin(pattern, user.Login) })
	})
}

// matchesLogin reports whether a login is one of a v1alpha1.LoginPattern. All accounts are those also that are named by id alone.
func matchesLogin(pattern, login string) bool {
	if pattern == "*" {
		return true
	}
	pattern, login = strings.ToLower(pattern), strings.ToLower(login)
	part := strings.Trim(pattern, "*")
	switch starts, ends := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*"); {
	case login == "" || part == "":
		return false
	case starts && ends:
		return strings.Contains(login, part)
	case starts:
		return strings.HasSuffix(login, part)
	case ends:
		return strings.HasPrefix(login, part)
	default:
		return login == part
	}
}

// ForbidsLoginPage says, in sentences, why nobody is asked to log in for a resource by the login page; empty when somebody may be. Who
// opens a link is asked for one account, so there is none without spec.user, whosever the App is.
func (a App) ForbidsLoginPage(token *v1alpha1.GitHubUserToken) string {
	switch user := token.Spec.User; {
	case a.Visit: // It lends its account to nobody.
		return ""
	case user == nil:
		return "The login page asks for one account alone, and spec.user names none. Set it to the account that is meant."
	case a.LoginPage != nil && !a.LoginPage.Allow(user):
		return fmt.Sprintf("The App does not let this namespace ask %s to log in by the login page. Its administrator decides that, with spec.loginPage of the ClusterGitHubApp.", Account(user))
	default:
		return ""
	}
}
