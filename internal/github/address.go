package github

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// An address is contacted when it is of public unicast space or of a private network, where Enterprise Servers live,
// and in none of refusedPrefixes, or when the administrator lists it. Names that tenants choose, or that an attacker's
// DNS answers, must not lead to the node, its neighbours on the link, or the cloud's metadata service, neither by
// their own addresses nor by one that carries theirs through a translator or a tunnel.
//
// Not told from others are the addresses that carry one of IPv4 under a prefix of a network's own choice: NAT64
// (RFC 6052) and 6rd (RFC 5969). Whoever runs such a translator must not let it lead to these places.

// refusedPrefixes are never dialled unless the administrator lists them: what IANA's registries of special-purpose
// addresses have, except for private networks, and the metadata services that are outside of link-local.
var refusedPrefixes = prefixes(
	"0.0.0.0/8",       // "this network", RFC 791; 0.0.0.0 reaches the local host
	"127.0.0.0/8",     // loopback, RFC 1122
	"169.254.0.0/16",  // link-local, RFC 3927, with the metadata address of most clouds
	"192.0.0.0/24",    // protocol assignments, RFC 6890; metadata of Oracle Cloud
	"192.0.2.0/24",    // documentation, RFC 5737
	"192.31.196.0/24", // AS112, RFC 7535
	"192.52.193.0/24", // AMT, RFC 7450
	"192.88.99.0/24",  // 6to4 relays, RFC 7526
	"192.175.48.0/24", // AS112, RFC 7534
	"198.18.0.0/15",   // benchmarks, RFC 2544
	"198.51.100.0/24", // documentation, RFC 5737
	"203.0.113.0/24",  // documentation, RFC 5737
	"224.0.0.0/4",     // multicast, RFC 5771
	"240.0.0.0/4",     // reserved, RFC 1112, and broadcast, RFC 8190

	"2001::/23",         // protocol assignments, RFC 2928: Teredo (RFC 4380), ORCHID (RFC 4843, 7343), DRIP (RFC 9374) and others
	"2001:db8::/32",     // documentation, RFC 3849
	"2002::/16",         // 6to4, RFC 3056
	"2620:4f:8000::/48", // AS112, RFC 7534
	"3fff::/20",         // documentation, RFC 9637

	"100.100.100.200/32", // metadata: Alibaba Cloud
	"168.63.129.16/32",   // metadata: Azure's platform address
	"fd00:ec2::/32",      // metadata: AWS over IPv6
	"fd20:ce::/32",       // metadata: Google Cloud over IPv6
)

// unicastPrefixes are what is used of IPv6. All else is refused: unspecified, loopback, and IPv4 in IPv6 of several
// kinds (::/8), discard (100::/64), SRv6 (5f00::/16), link-local (fe80::/10), site-local (fec0::/10), multicast
// (ff00::/8), and what is not assigned.
var unicastPrefixes = prefixes(
	"2000::/3", // public, RFC 4291
	"fc00::/7", // private, RFC 4193
)

// nat64 is the prefix by which IPv6-only networks reach github.com (RFC 6052). The IPv4 address is its last four
// bytes, always. That of local use, 64:ff9b:1::/48 (RFC 8215), has it where the network likes, and is refused.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	parsed := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		parsed[i] = netip.MustParsePrefix(text)
	}
	return parsed
}

func contains(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// mayDial reports whether an address may be contacted.
func mayDial(address netip.Addr, allowed []netip.Prefix) bool {
	address = address.Unmap().WithZone("")
	switch {
	case contains(allowed, address):
		return true
	case contains(refusedPrefixes, address):
		return false
	case address.Is4():
		return true
	}
	bytes := address.As16()
	last := netip.AddrFrom4([4]byte(bytes[12:]))
	if nat64.Contains(address) {
		return mayDial(last, allowed)
	}
	return contains(unicastPrefixes, address) && (!isISATAP(bytes) || mayDial(last, allowed))
}

// isISATAP reports whether the last four bytes of an address are one of IPv4 that a tunnel leads to (RFC 5214). The
// form may stand under any prefix.
func isISATAP(address [16]byte) bool {
	return address[8]&^2 == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe
}

// addressError is the refusal to dial an address.
type addressError struct{ address netip.Addr }

func (e *addressError) Error() string {
	return fmt.Sprintf("address %s must not be contacted", e.address)
}

// newDialer makes a dialer that checks each address of a name on its own: one that must not be contacted is
// passed over, and the next is tried.
func newDialer(allowed []netip.Prefix) *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, Control: checkAddress(allowed)}
}

// checkAddress is a net.Dialer's Control: it sees the address that is really dialled, after the name
// was resolved, so an answer of the DNS that changes between check and use cannot get past it.
func checkAddress(allowed []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		parsed, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("dial: unexpected form of address: %w", err)
		}
		if !mayDial(parsed.Addr(), allowed) {
			return &addressError{parsed.Addr().Unmap()}
		}
		return nil
	}
}
