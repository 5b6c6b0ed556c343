package github

import (
	"net/http"
	"regexp"
	"strings"
)

// GitHub answers 403 for many reasons, and tells them apart by its words alone. What is recognised here is known from
// clients that do the same (octokit.rb's errors). Nothing of the words is passed on but the name of an organization.
var refusals = []struct {
	words  string
	reason Reason
}{
	{"account was suspended", AccountSuspended},
	{"account is suspended", AccountSuspended},
	{"billing issue", BillingIssue},
	{"email address must be verified", UnverifiedEmail},
	{"login attempts exceeded", LoginAttemptsExceeded},
	{"organization saml enforcement", SingleSignOn},
	{"ip allow list enabled", AddressNotPermitted},
}

// maxRefusal is how much of a message is looked at, and organizations is how GitHub names one in it.
const maxRefusal = 1 << 10

var (
	organizations  = regexp.MustCompile("(?i)\\bthe `?([a-z0-9][a-z0-9-]{0,38})`? organization has an ip allow list")
	singleSignOnAt = regexp.MustCompile(`^https://[^/?#]+/(?:orgs|enterprises)/([A-Za-z0-9][A-Za-z0-9_-]{0,63})/sso(?:[?#]|$)`)
	organizationID = regexp.MustCompile(`^[0-9]{1,20}$`)
)

// refusalOf is why GitHub forbids something; empty when its words say nothing that is known.
func refusalOf(message string) (reason Reason, detail string) {
	message = message[:min(len(message), maxRefusal)]
	lower := strings.ToLower(message)
	for _, known := range refusals {
		if !strings.Contains(lower, known.words) {
			continue
		}
		if named := organizations.FindStringSubmatch(message); known.reason == AddressNotPermitted && named != nil {
			detail = "the organization is " + named[1]
		}
		return known.reason, detail
	}
	return "", ""
}

// maxOrganizations is how many organizations are named.
const maxOrganizations = 5

// singleSignOn is what the header X-GitHub-SSO tells: which organizations hide from the token until its owner signs on;
// ok is false when there is none. The address in it is good for one authorization, so only the organization is named.
func singleSignOn(h host, header http.Header) (detail string, ok bool) {
	kind, rest, _ := strings.Cut(header.Get("X-GitHub-SSO"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	name, value, _ := strings.Cut(strings.TrimSpace(rest), "=")
	switch {
	case kind == "required" && name == "url":
		if at := singleSignOnAt.FindStringSubmatch(value); at != nil {
			detail = "at https://" + h.String() + "/orgs/" + at[1] + "/sso"
		}
		return detail, true
	case kind == "required":
		return "", true
	case kind == "partial-results" && name == "organizations":
		var ids []string
		for id := range strings.SplitSeq(value, ",") {
			if id = strings.TrimSpace(id); organizationID.MatchString(id) && len(ids) < maxOrganizations {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			detail = "organizations by their ids: " + strings.Join(ids, ", ")
		}
		return detail, true
	default:
		return "", false
	}
}
