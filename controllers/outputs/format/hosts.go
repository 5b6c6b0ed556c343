package format

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

const (
	// DefaultHost is where an App lives when it does not say.
	DefaultHost = "github.com"
	// gitHubRegistry is the Container registry of github.com.
	gitHubRegistry = "ghcr.io"
	// residency is where GitHub Enterprise Cloud with data residency has its hosts, SUBDOMAIN.ghe.com.
	residency = ".ghe.com"
)

// registryOf is the Container registry that takes a host's tokens: ghcr.io of github.com, and containers.HOST of every
// other GitHub, of an Enterprise Server where subdomain isolation is on. Empty for an address, which has no subdomains.
func registryOf(host string) string {
	name, _, _ := strings.Cut(host, ":")
	switch _, err := netip.ParseAddr(name); {
	case host == DefaultHost:
		return gitHubRegistry
	case err == nil, strings.HasPrefix(host, "["):
		return ""
	default:
		return "containers." + host
	}
}

// ownerOf is the GitHub whose a host is, as spec.app.host would name it, for the hosts that GitHub itself runs. It is
// empty for all others: an Enterprise Server, a mirror, a cache.
func ownerOf(host string) string {
	name, _, _ := strings.Cut(strings.ToLower(host), ":")
	name = strings.TrimSuffix(name, ".")
	if before, found := strings.CutSuffix(name, residency); found && before != "" {
		return before[strings.LastIndexByte(before, '.')+1:] + residency
	}
	for _, domain := range []string{DefaultHost, gitHubRegistry, "githubusercontent.com"} {
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
