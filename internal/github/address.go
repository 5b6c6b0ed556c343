package github

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// refusedPrefixes are never dialled unless the administrator lists them: names that tenants choose,
// or that an attacker's DNS answers, must not lead to the node, its neighbours on the link, or the
// cloud's metadata service. Private networks are not among them, since Enterprise Servers live there.
var refusedPrefixes = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // "this network"; 0.0.0.0 reaches the local host
	netip.MustParsePrefix("127.0.0.0/8"),    // loopback
	netip.MustParsePrefix("169.254.0.0/16"), // link-local, with the metadata address of most clouds
	netip.MustParsePrefix("224.0.0.0/4"),    // multicast
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved and broadcast
	netip.MustParsePrefix("::/127"),         // unspecified and loopback
	netip.MustParsePrefix("fe80::/10"),      // link-local
	netip.MustParsePrefix("ff00::/8"),       // multicast

	netip.MustParsePrefix("100.100.100.200/32"), // metadata: Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // metadata: Azure's platform address
	netip.MustParsePrefix("192.0.0.192/32"),     // metadata: Oracle Cloud
	netip.MustParsePrefix("fd00:ec2::/32"),      // metadata: AWS over IPv6
	netip.MustParsePrefix("fd20:ce::/32"),       // metadata: Google Cloud over IPv6
}

// embeddingPrefixes are ranges whose addresses carry an IPv4 address, and the byte where it begins.
var embeddingPrefixes = []struct {
	prefix netip.Prefix
	offset int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // NAT64, local use
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4
	{netip.MustParsePrefix("::/96"), 12},          // IPv4-compatible
}

func contains(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// mayDial says whether an address may be contacted.
func mayDial(address netip.Addr, allowed []netip.Prefix) bool {
	address = address.Unmap().WithZone("")
	if contains(allowed, address) {
		return true
	}
	if contains(refusedPrefixes, address) {
		return false
	}
	for _, embedding := range embeddingPrefixes {
		if embedding.prefix.Contains(address) {
			bytes := address.As16()
			inner := netip.AddrFrom4([4]byte(bytes[embedding.offset : embedding.offset+4]))
			return mayDial(inner, allowed)
		}
	}
	return true
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
