package v1alpha1

import (
	"net/netip"
	"strings"
)

// GitHubRegistry is the Container registry of github.com.
const GitHubRegistry = "ghcr.io"

// DefaultRegistry is the Container registry that takes the tokens of an App's host, in lower case and without a path: ghcr.io of
// github.com, and containers.HOST of every other GitHub, of an Enterprise Server where subdomain isolation is on. Empty for an
// address, which has no subdomains.
func DefaultRegistry(host string) string {
	name, _, _ := strings.Cut(host, ":")
	switch _, err := netip.ParseAddr(name); {
	case host == DefaultHost:
		return GitHubRegistry
	case err == nil, strings.HasPrefix(host, "["):
		return ""
	default:
		return "containers." + host
	}
}
