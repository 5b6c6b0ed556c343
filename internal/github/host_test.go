package github

import (
	"net/netip"
	"testing"
)

func TestHostsAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		"github.com": "github.com", "GitHub.COM": "github.com", " github.com ": "github.com", "github.com:443": "github.com",
		"ghes.example.com/api/v3": "ghes.example.com", "ghes.example.com:8443/api/v3/": "ghes.example.com:8443",
		"ghes.example.com:08443": "ghes.example.com:8443", "acme.ghe.com": "acme.ghe.com", "10.0.0.1:443": "10.0.0.1",
		"[fd00::0001]:8443": "[fd00::1]:8443", "[fd00::1]": "[fd00::1]", "ghes": "ghes",
	} {
		h, problem := parseHost(in)
		if problem != "" || h.String() != want {
			t.Errorf("%q: got %q (%s), want %q", in, h, problem, want)
		}
	}
	for _, in := range []string{
		"", " ", "https://github.com", "http://github.com", "github.com/", "github.com/login", "user@github.com", "github.com:0",
		"github.com:65536", "github.com:", "github.com:-1", "github.com:http", ".github.com", "github..com", "github.com.", "-a.com", "a-.com",
		"git_hub.com", "github.com?x", "github.com#x", "git hub.com", "github.com\n", "gıthub.com", "*.ghe.com", "fd00::1", "[fd00::1", "[fd00::1%eth0]",
		"[10.0.0.1]", "github.com%2f", "github.com\\evil.com", "a:b:443", "[]", "[]:443", ":443",
	} {
		h, problem := parseHost(in)
		if in == "github.com/" || in == "github.com\n" {
			if h.String() != "github.com" {
				t.Errorf("%q: got %q", in, h)
			}
			continue
		}
		if problem == "" {
			t.Errorf("%q passes as %q", in, h)
		}
	}
}

func TestOnlyAllowedHostsAreContacted(t *testing.T) {
	c := newTestClient(t, Options{AllowedHosts: []string{"github.com", "*.ghe.com", "ghes.example.com:8443", "*.corp.example:444"}})
	for _, in := range []string{"github.com", "GITHUB.com:443", "acme.ghe.com", "ghes.example.com:8443", "ghes.example.com:8443/api/v3", "a.corp.example:444"} {
		if err := c.CheckHost(in); err != nil {
			t.Errorf("%q is refused: %v", in, err)
		}
	}
	for in, reason := range map[string]Reason{
		"ghe.com": HostNotAllowed, "a.b.ghe.com": HostNotAllowed, "evilghe.com": HostNotAllowed, "github.com.evil.com": HostNotAllowed,
		"api.github.com": HostNotAllowed, "github.com:8443": HostNotAllowed, "ghes.example.com": HostNotAllowed, "a.corp.example": HostNotAllowed,
		"127.0.0.1": HostNotAllowed, "localhost": HostNotAllowed, "https://github.com": HostMalformed, "acme.ghe.com@evil.com": HostMalformed,
	} {
		wantError(t, c.CheckHost(in), Misconfigured, reason, false)
	}
	if err := newTestClient(t, Options{}).CheckHost("acme.ghe.com"); err != nil {
		t.Errorf("the default refuses data residency: %v", err)
	}
	for _, entry := range []string{"", "*", "*.", "*.*.com", "https://github.com", "a.*.com", "*.10.0.0.1"} {
		if _, err := New(Options{AllowedHosts: []string{entry}}); err == nil {
			t.Errorf("allowed host %q is accepted", entry)
		}
	}
}

func TestEndpoints(t *testing.T) {
	c := newTestClient(t, Options{AllowedHosts: []string{"github.com", "*.ghe.com", "ghes.example.com:8443"}})
	for in, want := range map[string]Endpoints{
		"github.com":                   {"https://github.com", "https://api.github.com"},
		"Acme.ghe.com":                 {"https://acme.ghe.com", "https://api.acme.ghe.com"},
		"ghes.example.com:8443":        {"https://ghes.example.com:8443", "https://ghes.example.com:8443/api/v3"},
		"ghes.example.com:8443/api/v3": {"https://ghes.example.com:8443", "https://ghes.example.com:8443/api/v3"},
	} {
		got, err := c.Endpoints(in)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
	}
}

func TestTheKeyOfAnAppIsNormalisedAndHoldsNoSecret(t *testing.T) {
	want := "ghes.example.com/" + clientID
	for _, host := range []string{"ghes.example.com", "GHES.example.com:443", "ghes.example.com/api/v3"} {
		if got := (App{Host: host, ClientID: " " + clientID}).Key(); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
	if (App{Host: "github.com", ClientID: "a"}).Key() == (App{Host: "github.com", ClientID: "A"}).Key() {
		t.Error("client IDs of different case share a key")
	}
}

func TestAClientIDCannotChangeThePath(t *testing.T) {
	c := newTestClient(t, Options{})
	for _, id := range []string{"", "a/b", "../x", "..", "a?b", "a b", "a%2fb", "a\nb"} {
		_, _, err := c.checkApp(App{Host: "github.com", ClientID: id})
		wantError(t, err, Misconfigured, UnknownClient, false)
	}
	for _, id := range []string{clientID, "Iv1.0123456789abcdef", "0123456789abcdef0123"} {
		if _, _, err := c.checkApp(App{Host: "github.com", ClientID: id}); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestAddressesThatAreNeverDialled(t *testing.T) {
	refused := []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1",
		"::", "::1", "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::169.254.169.254", "2002:7f00:1::", "2002:a9fe:a9fe::1", "::127.0.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
	}
	for _, text := range refused {
		address := netip.MustParseAddr(text)
		if mayDial(address, nil) {
			t.Errorf("%s may be dialled", text)
		}
		if !mayDial(address, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}) {
			t.Errorf("%s is refused although it is listed", text)
		}
	}
	for _, text := range []string{"140.82.121.4", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "2606:50c0::1", "fd12:3456::1", "64:ff9b::8c52:7904", "::ffff:10.0.0.1"} {
		if !mayDial(netip.MustParseAddr(text), nil) {
			t.Errorf("%s is refused", text)
		}
	}
	if mayDial(netip.MustParseAddr("169.254.169.254"), []netip.Prefix{netip.MustParsePrefix(loopbackNet)}) {
		t.Error("allowing loopback allows metadata")
	}
}
