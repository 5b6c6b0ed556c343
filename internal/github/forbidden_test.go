package github

import (
	"net/http"
	"strings"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// What GitHub says names an organization at most: the address of single sign-on holds a request of its own, and a message
// may hold anything.
func TestForbiddenIsToldWithoutAnythingElse(t *testing.T) {
	allowList := "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and 203.0.113.7 is not permitted."
	for name, c := range map[string]struct{ header, message, says string }{
		"an IP allow list":               {message: allowList, says: "does not permit the operator's address: have it added, or use an App whose addresses the list inherits (the organization is octo-org)"},
		"one of nobody's":                {message: "IP allow list enabled for " + newAccess, says: "use an App whose addresses the list inherits"},
		"one with a token for a name":    {message: "the `" + newAccess + "_0` organization has an IP allow list enabled", says: "use an App whose addresses the list inherits"},
		"single sign-on":                 {header: "required; url=https://github.com/orgs/octo-org/sso?authorization_request=AZSCKtL4U8yX", says: "and then authorize the App again (at https://HOST/orgs/octo-org/sso)"},
		"single sign-on at an address":   {header: "required; url=https://evil.example/?token=AZSCKtL4U8yX", says: "and then authorize the App again"},
		"single sign-on without address": {header: "required", says: "and then authorize the App again"},
		"organizations by number":        {header: "partial-results; organizations=21955855,20582480", says: "(organizations by their ids: 21955855, 20582480)"},
		"more than are named":            {header: "partial-results; organizations=1,2,3,4,5,6,7", says: "(organizations by their ids: 1, 2, 3, 4, 5)"},
		"something in their place":       {header: "partial-results; organizations=<b>,AZSCKtL4U8yX", says: "and then authorize the App again"},
		"a suspended account":            {message: "Sorry. Your account was suspended. AZSCKtL4U8yX 203.0.113.7", says: "GitHub has suspended the account: have it reinstated"},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{}
			if c.header != "" {
				header["X-GitHub-SSO"] = c.header
			}
			s := newREST(t, http.StatusForbidden, header, `{"message":"`+c.message+`"}`)
			_, err := s.client(t).User(t.Context(), s.host(), credential.NewAccessToken(newAccess))
			said := strings.ReplaceAll(asError(t, err).Error(), s.host(), "HOST")
			if !strings.Contains(said, c.says) {
				t.Errorf("said: %s", said)
			}
			for _, part := range []string{"AZSCKtL4U8yX", "203.0.113.7", newAccess, "evil.example", "<b>", " 6"} {
				if strings.Contains(said, part) {
					t.Errorf("%s shows in: %s", part, said)
				}
			}
		})
	}
}

// A long message costs nothing, and what stands behind what is looked at does not count.
func TestForbiddenOnlyTheBeginningOfAMessageIsLookedAt(t *testing.T) {
	if reason, _ := refusalOf(strings.Repeat("x", maxRefusal) + "account was suspended"); reason != "" {
		t.Errorf("found %s", reason)
	}
	if reason, _ := refusalOf("account was suspended" + strings.Repeat("x", 1<<20)); reason != AccountSuspended {
		t.Errorf("found %q", reason)
	}
}

// A token that works is told of organizations that hide from it.
func TestForbiddenOrganizationsThatHideFromALivingToken(t *testing.T) {
	s := newREST(t, http.StatusOK, map[string]string{"X-GitHub-SSO": "partial-results; organizations=21955855"}, `{"login":"octocat","id":1}`)
	app := s.app()
	app.ClientSecret = credential.ClientSecret{}
	check, err := s.client(t).CheckToken(t.Context(), app, credential.NewAccessToken(newAccess))
	if err != nil || !check.Alive || !strings.Contains(check.HidesFrom, "(organizations by their ids: 21955855)") {
		t.Errorf("got %+v, %v", check, err)
	}
}
