package endpoint

import (
	"net/http"
	"testing"
)

func TestEndpointCountsAClientByItsAddressOrNetwork(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7:1234":                "192.0.2.7",
		"[::ffff:192.0.2.7]:1234":       "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:1234":   "2001:db8:1:2::/64",
		"[2001:db8:1:2::1]:9":           "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1234":           "fe80::/64",
		"192.0.2.7":                     "",
		"somebody:1234":                 "",
		"":                              "",
		"192.0.2.7, 198.51.100.1:12345": "",
	} {
		r := &http.Request{RemoteAddr: from, Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
		if got := ClientOf(r); got != want {
			t.Errorf("%q: got %q, want %q", from, got, want)
		}
	}
}
