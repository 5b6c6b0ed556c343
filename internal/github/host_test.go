package github

import (
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

func TestHostOnlyAllowedHostsAreContacted(t *testing.T) {
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

func TestHostEndpoints(t *testing.T) {
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

func TestHostKeyOfAnAppIsNormalisedAndHoldsNoSecret(t *testing.T) {
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

func TestHostClientIDCannotChangeThePath(t *testing.T) {
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
