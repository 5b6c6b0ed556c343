package github

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// What the proxy's URL holds that nobody may see.
const proxyUser, proxyPassword = "operator", "hunter2hunter2"

// askBoth sends an exchange and a REST call, and returns what came of each.
func askBoth(t *testing.T, c *Client, app App) map[string]error {
	t.Helper()
	_, exchange := c.Exchange(t.Context(), app, credential.NewRefreshToken(spent))
	_, rest := c.User(t.Context(), app.Host, credential.NewAccessToken(newAccess))
	return map[string]error{"an exchange": exchange, "a REST call": rest}
}

// through makes a client that goes through a proxy.
func (w *wire) through(t *testing.T, proxy string, change func(*Options)) *Client {
	t.Helper()
	options := w.options()
	options.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
	if change != nil {
		change(&options)
	}
	return newTestClient(t, options)
}

func TestProxyThatRefusesIsToldFromTheHost(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
	for name, c := range map[string]struct {
		status int
		header []string
		says   string
	}{
		"it wants to know who we are":     {407, []string{`Basic realm="ghr_secret"`}, "(HTTPS_PROXY) answered 407 Proxy Authentication Required: it wants to know who the operator is, by Basic; put a user"},
		"in more ways than one":           {407, []string{"Negotiate", "NTLM", "<script>", `Basic realm="x"`}, "by Negotiate or NTLM or Basic; put a user"},
		"and does not say how":            {407, nil, "who the operator is; put a user and password into HTTPS_PROXY"},
		"it does not allow the host":      {403, nil, "(HTTPS_PROXY) answered 403 Forbidden: allow the host there, or name it in NO_PROXY"},
		"it does not reach the host":      {502, nil, "(HTTPS_PROXY) answered 502 Bad Gateway: it does not reach the host itself"},
		"it does not get an answer":       {504, nil, "answered 504 Gateway Timeout: it does not reach"},
		"with a status of its own":        {498, nil, "(HTTPS_PROXY) answered 498: allow the host"},
		"with a redirect":                 {302, []string{"x"}, "answered 302 Found: allow the host"},
		"with what looks like an answer":  {204, nil, "answered 204 No Content"},
		"with what looks like a rate":     {429, nil, "answered 429 Too Many Requests"},
		"with what looks like GitHub's":   {401, nil, "answered 401 Unauthorized"},
		"with what may pass by itself":    {503, nil, "answered 503 Service Unavailable"},
		"with what no refusal ever says.": {409, nil, "answered 409 Conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodConnect && r.Host == w.host() {
					asked.Add(1)
				}
				for _, challenge := range c.header {
					rw.Header().Add("Proxy-Authenticate", challenge)
				}
				rw.WriteHeader(c.status)
			}))
			t.Cleanup(proxy.Close)
			client := w.through(t, strings.Replace(proxy.URL, "http://", "http://"+proxyUser+":"+proxyPassword+"@", 1), nil)
			for call, err := range askBoth(t, client, w.app()) {
				e := wantError(t, err, Transient, HostUnreachable, false)
				if !strings.Contains(e.Error(), c.says) {
					t.Errorf("%s: %v, want %q", call, e, c.says)
				}
				for _, secret := range []string{proxyUser, proxyPassword, "ghr_secret", "<script>"} {
					if strings.Contains(strings.ReplaceAll(e.Error(), "the operator", ""), secret) {
						t.Errorf("%s shows %s: %v", call, secret, e)
					}
				}
			}
			if asked.Load() != 2 {
				t.Errorf("the proxy was asked for the host %d times", asked.Load())
			}
		})
	}
	if w.requests.Load() != 0 {
		t.Errorf("%d requests arrived", w.requests.Load())
	}
}

func TestProxyThatCannotBeReachedIsToldFromTheHost(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	untrusted, _ := certificate(t, time.Now().Add(time.Hour), "proxy.example.com")
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{untrusted}}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for name, c := range map[string]struct {
		proxy  string
		change func(*Options)
		class  Class
		reason Reason
		says   string
	}{
		"nobody listens":             {"http://" + closed.Addr().String(), nil, Transient, HostUnreachable, "(the operator's proxy (HTTPS_PROXY) cannot be reached: connection refused)"},
		"its name is nobody's":       {"http://proxy.invalid:3128", nil, Transient, HostUnreachable, "(the operator's proxy (HTTPS_PROXY) cannot be reached: "},
		"its address is not allowed": {"http://" + closed.Addr().String(), func(o *Options) { o.AllowedAddresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }, Misconfigured, AddressNotAllowed, "(it is that of the operator's proxy (HTTPS_PROXY): 127.0.0.1)"},
		"its certificate is untrusted": {
			secure.URL, nil, Misconfigured, CertificateNotTrusted, "(it is that of the operator's proxy (HTTPS_PROXY): it is signed by an unknown authority)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for call, err := range askBoth(t, w.through(t, c.proxy, c.change), w.app()) {
				if e := wantError(t, err, c.class, c.reason, false); !strings.Contains(e.Error(), c.says) {
					t.Errorf("%s: %v, want %q", call, e, c.says)
				}
			}
		})
	}
	// The host's own failures are not the proxy's.
	e := connectError(host{"nowhere.example", "443"}, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}})
	if strings.Contains(e.Error(), "proxy") {
		t.Errorf("without a proxy: %v", e)
	}
}
