package github

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// offlineAccess is the scope for which GitHub gives an OAuth App a refresh token by the device flow. That is not
// documented: without it the access token is reported to expire all the same, and to come alone.
const offlineAccess = "offline_access"

// gitHubAppIDs and oauthAppIDs are how GitHub writes the client IDs of its two kinds of Apps. OAuth Apps of former days,
// and of an Enterprise Server, have 20 hexadecimal digits.
var (
	gitHubAppIDs = regexp.MustCompile(`^Iv`)
	oauthAppIDs  = regexp.MustCompile(`^(Ov|[0-9a-f]{20}$)`)
)

// limited asks for a token that is limited to the App's repository, where one is named. GitHub ignores that, without a word, when the
// App or the account cannot access the repository.
func (a App) limited(form url.Values) url.Values {
	if a.RepositoryID > 0 {
		form.Set("repository_id", strconv.FormatInt(a.RepositoryID, 10))
	}
	return form
}

// deviceScopes are what is asked for by the device flow, and what is asked for instead when the host does not know one
// of them: the same without what was added here. A GitHub App knows no scopes and asks for none. Of an App of which
// nobody can tell what it is, it is as the App says.
func (a App) deviceScopes() (wanted, instead string) {
	id, scopes := strings.TrimSpace(a.ClientID), strings.Fields(a.Scope)
	if gitHubAppIDs.MatchString(id) || len(scopes) == 0 && !oauthAppIDs.MatchString(id) {
		return "", ""
	}
	instead = strings.Join(scopes, " ")
	if !slices.Contains(scopes, offlineAccess) {
		scopes = append(scopes, offlineAccess)
	}
	return strings.Join(scopes, " "), instead
}
