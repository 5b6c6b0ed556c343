package github

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// certificate makes a self-signed one for some names.
func certificate(t *testing.T, notAfter time.Time, names ...string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: notAfter, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestConnectWhatGoesWrongBeforeSendingIsNotAmbiguous(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plainServer := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: quiet, ReadHeaderTimeout: time.Minute}
	go func() { _ = plainServer.Serve(plain) }()
	t.Cleanup(func() { _ = plainServer.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()

	cases := []struct {
		name   string
		change func(*Options)
		host   string
		class  Class
		reason Reason
	}{
		{"a certificate by an unknown authority", func(o *Options) { o.RootCAs = nil }, w.host(), Misconfigured, CertificateNotTrusted},
		{"an address that is not allowed", func(o *Options) { o.AllowedAddresses = nil }, w.host(), Misconfigured, AddressNotAllowed},
		{"a name that leads to loopback", func(o *Options) { o.AllowedAddresses = nil; o.AllowedHosts = []string{"localhost"} }, "localhost", Misconfigured, AddressNotAllowed},
		{"a host that is not on the list", func(o *Options) { o.AllowedHosts = []string{"github.com"} }, w.host(), Misconfigured, HostNotAllowed},
		{"a closed port", func(o *Options) { o.AllowedHosts = []string{closed.Addr().String()} }, closed.Addr().String(), Transient, HostUnreachable},
		{"a port without TLS", func(o *Options) { o.AllowedHosts = []string{plain.Addr().String()} }, plain.Addr().String(), Transient, HostUnreachable},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			options := w.options()
			tc.change(&options)
			_, err := newTestClient(t, options).Exchange(t.Context(), App{Host: tc.host, ClientID: clientID}, credential.NewRefreshToken(spent))
			wantError(t, err, tc.class, tc.reason, false)
		})
	}
	t.Run("no refresh token", func(t *testing.T) {
		_, err := w.client(t).Exchange(t.Context(), w.app(), credential.RefreshToken{})
		wantError(t, err, Misconfigured, InvalidRequest, false)
	})
	t.Run("a name that does not exist", func(t *testing.T) {
		e := connectError(host{"nowhere.example", "443"}, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}})
		wantError(t, e, Transient, HostUnreachable, false)
	})
	if w.requests.Load() != 0 {
		t.Errorf("%d requests arrived", w.requests.Load())
	}
}

// atName serves TLS for a name, and makes a client that finds it there.
func atName(t *testing.T, name string, notAfter time.Time, trusted bool, handler http.HandlerFunc, certificateNames ...string) (*Client, *wire) {
	t.Helper()
	w := newWire(t, handler)
	pair, ca := certificate(t, notAfter, certificateNames...)
	w.TLS.Certificates = []tls.Certificate{pair}
	options := Options{AllowedHosts: []string{name}}
	if trusted {
		options.RootCAs = ca
	}
	c := newTestClient(t, options)
	c.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, w.host())
	}
	return c, w
}

func TestConnectCertificates(t *testing.T) {
	serve := func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) }
	year := time.Now().Add(365 * 24 * time.Hour)
	t.Run("a private CA is trusted when it was given", func(t *testing.T) {
		c, _ := atName(t, "ghes.example.com", year, true, serve, "ghes.example.com")
		if _, err := c.Exchange(t.Context(), App{Host: "ghes.example.com", ClientID: clientID}, credential.NewRefreshToken(spent)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a certificate for another name is not", func(t *testing.T) {
		c, w := atName(t, "ghes.example.com", year, true, serve, "other.example.com")
		_, err := c.Exchange(t.Context(), App{Host: "ghes.example.com", ClientID: clientID}, credential.NewRefreshToken(spent))
		wantError(t, err, Misconfigured, CertificateNotTrusted, false)
		if w.requests.Load() != 0 {
			t.Error("a request arrived")
		}
	})
	t.Run("an expired certificate is not", func(t *testing.T) {
		c, _ := atName(t, "ghes.example.com", time.Now().Add(-time.Hour), true, serve, "ghes.example.com")
		_, err := c.Exchange(t.Context(), App{Host: "ghes.example.com", ClientID: clientID}, credential.NewRefreshToken(spent))
		wantError(t, err, Misconfigured, CertificateNotTrusted, false)
	})
	t.Run("a CA file without a certificate is refused at start", func(t *testing.T) {
		if _, err := New(Options{RootCAs: []byte("nothing")}); err == nil {
			t.Error("accepted")
		}
	})
}

func TestConnectProxyOfTheEnvironmentIsUsedOnlyWhenAsked(t *testing.T) {
	if c := newTestClient(t, Options{}); c.proxy != nil || c.singleUseTransport(&guard{}).Proxy != nil || c.trust.rest.Proxy != nil {
		t.Error("a proxy may be used that nobody asked for")
	}
	if c := newTestClient(t, Options{ProxyFromEnvironment: true}); c.singleUseTransport(&guard{}).Proxy == nil || c.trust.rest.Proxy == nil {
		t.Error("the proxy is ignored")
	}
}

func TestConnectGitHubComAndDataResidencyUseTheirOwnAPIHost(t *testing.T) {
	for _, name := range []string{"github.com", "acme.ghe.com"} {
		var hosts []string
		c, _ := atName(t, name, time.Now().Add(time.Hour), true, func(rw http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.Host+r.URL.Path)
			if r.URL.Path == "/user" {
				_, _ = io.WriteString(rw, `{"login":"octocat","id":583231}`)
				return
			}
			_, _ = io.WriteString(rw, pairAsJSON)
		}, name, "api."+name)
		if _, err := c.Exchange(t.Context(), App{Host: name, ClientID: clientID}, credential.NewRefreshToken(spent)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.User(t.Context(), name, credential.NewAccessToken(newAccess)); err != nil {
			t.Fatal(err)
		}
		if len(hosts) != 2 || hosts[0] != name+"/login/oauth/access_token" || hosts[1] != "api."+name+"/user" {
			t.Errorf("requests went to %v", hosts)
		}
	}
}

func TestConnectProxyDoesNotBlurWhetherSomethingWasSent(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
	refuse := false
	proxy := &http.Server{ErrorLog: quiet, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || refuse {
			http.Error(rw, "no", http.StatusForbidden)
			return
		}
		upstream, err := net.Dial("tcp", w.host())
		if err != nil {
			t.Error(err)
			return
		}
		downstream, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(downstream, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(upstream, buffered); _ = upstream.Close() }()
		go func() { _, _ = io.Copy(downstream, upstream); _ = downstream.Close() }()
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = proxy.Serve(listener) }()
	t.Cleanup(func() { _ = proxy.Close() })

	c := w.client(t)
	c.proxy = http.ProxyURL(mustURL(t, "http://"+listener.Addr().String()))
	if _, err := c.Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent)); err != nil {
		t.Errorf("through the proxy: %v", err)
	}
	refuse = true
	_, err = c.Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
	wantError(t, err, Transient, HostUnreachable, false)

	options := w.options()
	options.AllowedAddresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	c = newTestClient(t, options)
	c.proxy = http.ProxyURL(mustURL(t, "http://"+listener.Addr().String()))
	_, err = c.Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
	wantError(t, err, Misconfigured, AddressNotAllowed, false)
	if w.requests.Load() != 1 {
		t.Errorf("%d requests arrived, want 1", w.requests.Load())
	}
}
