package githubtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Listen says where and how a Server is served. The zero value is a free port of 127.0.0.1, with a certificate for
// every name that a client asks for.
type Listen struct {
	// Address to listen on; default 127.0.0.1:0.
	Address string
	// Names, DNS names and IP addresses, that the certificate is good for. Default: 127.0.0.1, ::1, localhost, and any
	// other name a client asks for.
	Names []string
	// SignedBy is the authority behind the certificate; default Server.CA. Another one is how a client meets a
	// certificate that it must not trust.
	SignedBy *CA
	// HTTP1 switches HTTP/2 off.
	HTTP1 bool
}

// Site is a Server on the network.
type Site struct {
	// URL is https:// and the address.
	URL string
	// Host is the address: an IP address and a port.
	Host string
	// CA is the authority that a client has to trust, whichever has signed the certificate.
	CA *CA

	server   *http.Server
	listener net.Listener
	served   chan struct{}
}

// Start serves the Server over TLS until Site.Close. One Server may have several sites.
func (s *Server) Start(l Listen) (*Site, error) {
	def(&l.Address, "127.0.0.1:0")
	if l.SignedBy == nil {
		l.SignedBy = s.CA()
	}
	config, err := l.tlsConfig()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", l.Address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	host := listener.Addr().String()
	site := &Site{
		URL: "https://" + host, Host: host, CA: s.CA(), listener: listener, served: make(chan struct{}),
		server: &http.Server{
			Handler:           s,
			TLSConfig:         config,
			ReadHeaderTimeout: time.Minute,
			ErrorLog:          log.New(io.Discard, "", 0), // clients that distrust the certificate are part of the play
		},
	}
	if l.HTTP1 {
		site.server.Protocols = new(http.Protocols)
		site.server.Protocols.SetHTTP1(true)
	}
	go func() {
		defer close(site.served)
		_ = site.server.ServeTLS(listener, "", "") // always ErrServerClosed
	}()
	return site, nil
}

func (l Listen) tlsConfig() (*tls.Config, error) {
	names := l.Names
	if len(names) == 0 {
		names = []string{"127.0.0.1", "::1", "localhost"}
	}
	fixed, err := l.SignedBy.Issue(names...)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*fixed}}
	if len(l.Names) > 0 {
		return config, nil
	}
	var mu sync.Mutex
	issued := map[string]*tls.Certificate{"": fixed}
	for _, name := range names {
		issued[name] = fixed
	}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if certificate := issued[hello.ServerName]; certificate != nil {
			return certificate, nil
		}
		certificate, err := l.SignedBy.Issue(hello.ServerName)
		if err != nil {
			return nil, err
		}
		issued[hello.ServerName] = certificate
		return certificate, nil
	}
	return config, nil
}

// Client trusts the authority and finds every host at this site, also github.com and api.github.com. Each call makes a
// client with connections of its own.
func (s *Site) Client() *http.Client {
	var dialer net.Dialer
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: s.CA.Pool(), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: !s.http1(),
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, s.Host)
		},
	}}
}

func (s *Site) http1() bool {
	return s.server.Protocols != nil && !s.server.Protocols.HTTP2()
}

// Close stops listening and breaks all connections.
func (s *Site) Close() {
	_ = s.server.Close()
	<-s.served
}

// Shutdown stops listening and waits for requests under way, at most as long as ctx.
func (s *Site) Shutdown(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		s.Close()
	}
	<-s.served
	return err
}

// TB is what StartTest needs of a testing.TB.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// StartTest is Start for a test: it fails the test on an error, and closes the site, and the Server, at its end.
func (s *Server) StartTest(t TB, listen ...Listen) *Site {
	t.Helper()
	site, err := s.Start(slices.Concat(listen, []Listen{{}})[0])
	if err != nil {
		t.Fatalf("start the stand-in for GitHub: %v", err)
	}
	t.Cleanup(func() {
		site.Close()
		s.Close()
	})
	return site
}
