package format

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

const (
	// DefaultHost is where an App lives when it does not say.
	DefaultHost = "github.com"
	// residency is where GitHub Enterprise Cloud with data residency has its hosts, SUBDOMAIN.ghe.com.
	residency = ".ghe.com"
)

// ownerOf is the GitHub whose a host is, as spec.app.host would name it, for the hosts that GitHub itself runs. It is
// empty for all others: an Enterprise Server, a mirror, a cache.
func ownerOf(host string) string {
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	name = strings.TrimSuffix(name, ".")
	if before, found := strings.CutSuffix(name, residency); found && before != "" {
		return before[strings.LastIndexByte(before, '.')+1:] + residency
	}
	for _, domain := range []string{DefaultHost, v1alpha1.GitHubRegistry, "githubusercontent.com"} {
		if name == domain || strings.HasSuffix(name, "."+domain) {
			return DefaultHost
		}
	}
	return ""
}

// checkOwner refuses credentials that would offer one GitHub's token to another one: it is of no use there, and it is
// shown to whoever runs that host. What is nobody's GitHub may be a mirror or a cache, and is left to who names it.
func (s settings) checkOwner() error {
	named := map[string]string{"registry": s.Registry, "host": s.Host}
	if s.URL != "" {
		parsed, err := url.Parse(s.URL)
		if err != nil || parsed.Host == "" {
			return fmt.Errorf("the url %q has no host", s.URL)
		}
		named["url"] = parsed.Host
	}
	mine := cmp.Or(ownerOf(s.tokenHost), s.tokenHost)
	for _, field := range []string{"registry", "host", "url"} {
		if owner := ownerOf(named[field]); owner != "" && owner != mine {
			return fmt.Errorf("the %s is of %s, which must not be shown a token of %s: leave %s out, or name one of %s",
				field, owner, mine, field, mine)
		}
	}
	return nil
}
