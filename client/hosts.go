package client

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/client/internal/hostname"
)

// residency is where GitHub Enterprise Cloud with data residency has its hosts, SUBDOMAIN.ghe.com.
const residency = ".ghe.com"

// services are the names that stand before the host of a GitHub that is run by GitHub, and take its users' tokens.
var services = []string{"api.", "uploads.", "gist.", "codeload."}

var hostPattern = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[-A-Za-z0-9.]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?$`)

func isHost(host string) bool { return hostPattern.MatchString(host) }

// Hosts are those to which the token of an App's host may be sent: of github.com and SUBDOMAIN.ghe.com those of its API and of its
// files as well, of an Enterprise Server itself alone.
func Hosts(host string) []string {
	host = hostname.Normal(host)
	hosts := []string{host}
	subdomain, isResidency := strings.CutSuffix(host, residency)
	if host == "github.com" || isResidency && subdomain != "" && !strings.Contains(subdomain, ".") {
		for _, service := range services {
			hosts = append(hosts, service+host)
		}
	}
	if host == "github.com" {
		hosts = append(hosts, "raw.githubusercontent.com")
	}
	return hosts
}

// isFor reports whether a token of the host may be sent to an address.
func isFor(address *url.URL, host string, more []string) bool {
	if address.Scheme != "https" {
		return false
	}
	return slices.ContainsFunc(slices.Concat(Hosts(host), more), func(known string) bool { return hostname.Equal(known, address.Host) })
}
