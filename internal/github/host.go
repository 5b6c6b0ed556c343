package github

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const defaultPort = "443"

// host is a normalised HOST[:PORT]: lower case, no :443.
type host struct{ name, port string }

// String is the host as it stands in a URL.
func (h host) String() string {
	name := h.name
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if h.port == defaultPort {
		return name
	}
	return name + ":" + h.port
}

// isLabel reports whether s may stand between two dots of a host name.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// parseHost accepts HOST, HOST:PORT, [IPv6]:PORT, and any of them with the /api/v3 by which people
// know their Enterprise Server. The second result says, for a person, what is wrong.
func parseHost(s string) (host, string) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "" {
		return host{}, "the host is empty"
	}
	if strings.Contains(s, "://") {
		return host{}, "leave out the scheme; https is always used"
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "/"), "/api/v3")

	h := host{name: s, port: defaultPort}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (s[0] != '[' || s[i-1] == ']') {
		number, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || number == 0 {
			return host{}, "the port must be a number from 1 to 65535"
		}
		h = host{name: s[:i], port: strconv.FormatUint(number, 10)}
	}
	if strings.HasPrefix(h.name, "[") {
		address, err := netip.ParseAddr(strings.TrimSuffix(h.name[1:], "]"))
		if err != nil || !address.Is6() || address.Zone() != "" || !strings.HasSuffix(h.name, "]") {
			return host{}, "what stands in brackets must be an IPv6 address"
		}
		h.name = address.String()
		return h, ""
	}
	if len(h.name) > 253 {
		return host{}, "the name is longer than 253 characters"
	}
	for label := range strings.SplitSeq(h.name, ".") {
		if !isLabel(label) {
			return host{}, "a name consists of letters, digits and hyphens between dots"
		}
	}
	return h, ""
}

// normaliseHost is the normal form where there is one, and otherwise the input, which no request will use.
func normaliseHost(s string) string {
	h, problem := parseHost(s)
	if problem != "" {
		return strings.ToLower(strings.TrimSpace(s))
	}
	return h.String()
}

// pattern is one entry of the allowed hosts.
type pattern struct {
	host
	wildcard bool
}

func parsePattern(s string) (pattern, error) {
	rest, wildcard := strings.CutPrefix(strings.TrimSpace(s), "*.")
	h, problem := parseHost(rest)
	if problem != "" {
		return pattern{}, fmt.Errorf("allowed host %q: %s", s, problem)
	}
	if wildcard && net.ParseIP(h.name) != nil {
		return pattern{}, fmt.Errorf("allowed host %q: an address cannot follow a wildcard", s)
	}
	return pattern{host: h, wildcard: wildcard}, nil
}

// matches compares names and ports. A wildcard stands for exactly one label, as in certificates.
func (p pattern) matches(h host) bool {
	if p.port != h.port {
		return false
	}
	if !p.wildcard {
		return p.name == h.name
	}
	label, rest, found := strings.Cut(h.name, ".")
	return found && label != "" && rest == p.name
}

// Endpoints are the base URLs of one GitHub host, without a slash at the end.
type Endpoints struct {
	// OAuth is where /login/oauth and /login/device live.
	OAuth string
	// API is the base of the REST API.
	API string
}

func (h host) endpoints() Endpoints {
	oauth := "https://" + h.String()
	switch {
	case h.name == "github.com" || strings.HasSuffix(h.name, ".ghe.com"):
		return Endpoints{OAuth: oauth, API: "https://api." + h.String()}
	default:
		return Endpoints{OAuth: oauth, API: oauth + "/api/v3"}
	}
}
