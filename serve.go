package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
)

// The manager's own servers for probes and metrics are not used: whoever reaches the pod could make them hold a MiB of
// headers on each of any number of connections, before they ask who that is.
var (
	probeLimits   = endpoint.Limits{Request: 5 * time.Second, Reply: 5 * time.Second, Headers: 4 << 10}
	metricsLimits = endpoint.Limits{Request: 5 * time.Second, Reply: time.Minute, Headers: 16 << 10}
)

const (
	// maxConnections is how many connections each of the servers takes at once.
	maxConnections = 64
	// maxScrapes is how many clients may get the metrics at once: the figures of 10,000 resources are some 20 MiB.
	maxScrapes = 4
)

// addServers adds the servers of the probes and of the metrics to the manager, unless their addresses are 0. ready is what
// /readyz asks.
func addServers(mgr manager.Manager, f *flags, ready healthz.Checker) error {
	if f.probeAddress != "" && f.probeAddress != "0" {
		probes, err := newProbes(f.probeAddress, ready)
		if err != nil {
			return fmt.Errorf("--health-probe-bind-address: %w", err)
		}
		if err := mgr.Add(probes); err != nil {
			return fmt.Errorf("add the server of the probes: %w", err)
		}
	}
	if f.metricsAddress != "" && f.metricsAddress != "0" {
		scraped, err := newMetrics(mgr, f.metricsAddress, f.metricsSecure)
		if err != nil {
			return fmt.Errorf("--metrics-bind-address: %w", err)
		}
		if err := mgr.Add(scraped); err != nil {
			return fmt.Errorf("add the server of the metrics: %w", err)
		}
	}
	return nil
}

// newProbes serves /healthz and /readyz on an address. The process is healthy while it answers.
func newProbes(address string, ready healthz.Checker) (*manager.Server, error) {
	mux := http.NewServeMux()
	for path, check := range map[string]healthz.Checker{"/healthz": healthz.Ping, "/readyz": ready} {
		checks := http.StripPrefix(path, &healthz.Handler{Checks: map[string]healthz.Checker{"ping": healthz.Ping, "namespaces": check}})
		mux.Handle(path, checks)
		mux.Handle(path+"/", checks)
	}
	listener, err := endpoint.Listen(address, maxConnections)
	if err != nil {
		return nil, err
	}
	return newServer("health probe", listener, endpoint.NewServer(mux, probeLimits)), nil
}

// newMetrics serves /metrics on an address. If secure, it is over TLS, with a certificate made here,
// and for clients that the API server authorizes.
func newMetrics(mgr manager.Manager, address string, secure bool) (*manager.Server, error) {
	handler := promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError, MaxRequestsInFlight: maxScrapes})
	listener, err := endpoint.Listen(address, maxConnections)
	if err != nil {
		return nil, err
	}
	if secure {
		if handler, err = authorized(mgr, handler); err != nil {
			return nil, err
		}
		if listener, err = encrypted(listener); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", handler)
	return newServer("metrics", listener, endpoint.NewServer(mux, metricsLimits)), nil
}

// authorized lets only those through whom the API server knows and allows.
func authorized(mgr manager.Manager, handler http.Handler) (http.Handler, error) {
	filter, err := filters.WithAuthenticationAndAuthorization(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up the authorization of metrics: %w", err)
	}
	filtered, err := filter(mgr.GetLogger().WithName("metrics"), handler)
	if err != nil {
		return nil, fmt.Errorf("set up the authorization of metrics: %w", err)
	}
	return filtered, nil
}

// encrypted is TLS with a certificate that nobody can verify; it keeps the scraper's token from others' eyes.
func encrypted(listener net.Listener) (net.Listener, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{{127, 0, 0, 1}}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the metrics: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the metrics: %w", err)
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
	}), nil
}

func newServer(name string, listener net.Listener, server *http.Server) *manager.Server {
	second := time.Second
	return &manager.Server{Name: name, Server: server, Listener: listener, ShutdownTimeout: &second}
}
