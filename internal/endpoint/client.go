package endpoint

import (
	"net"
	"net/http"
	"net/netip"
)

// ClientOf is the address from which a request comes, to count it against; of IPv6 the network, which is what one client has. What headers say
// of it is whatever somebody likes. It is empty where there is none.
func ClientOf(r *http.Request) string {
	text, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
