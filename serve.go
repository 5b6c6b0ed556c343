package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
	"github.com/githubusertoken/github-user-token-operator/internal/reviewed"
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
	// maxScrapes is how many clients may get the metrics at once.
	maxScrapes = 4
)

// addServers adds the servers of the probes and of the metrics to the manager, unless their addresses are 0. ready is what
// /readyz asks, beside whether the metrics are served; resources writes the metrics of resources.
func addServers(mgr manager.Manager, f *flags, ready readiness, resources func(*exposition.Writer)) error {
	if f.metricsAddress != "" && f.metricsAddress != "0" {
		serving, err := addMetrics(mgr, f, resources)
		if err != nil {
			return err
		}
		ready.wantOnce("metrics", serving)
	}
	if f.probeAddress != "" && f.probeAddress != "0" {
		probes, err := newProbes(f.probeAddress, ready)
		if err != nil {
			return fmt.Errorf("--health-probe-bind-address: %w", err)
		}
		if err := mgr.Add(probes); err != nil {
			return fmt.Errorf("add the server of the probes: %w", err)
		}
	}
	return nil
}

// addMetrics adds the server of the metrics to the manager. serving is nil as soon as they are served.
func addMetrics(mgr manager.Manager, f *flags, resources func(*exposition.Writer)) (serving healthz.Checker, err error) {
	options := metricsOptions{address: f.metricsAddress, secure: f.metricsSecure, resources: resources}
	if f.metricsCertPath != "" {
		watcher, err := certwatcher.New(filepath.Join(f.metricsCertPath, f.metricsCertName), filepath.Join(f.metricsCertPath, f.metricsCertKey))
		if err != nil {
			return nil, fmt.Errorf("--metrics-cert-path: %w", err)
		}
		if err := mgr.Add(watcher); err != nil {
			return nil, fmt.Errorf("have the certificate of the metrics followed: %w", err)
		}
		options.certificate = watcher.GetCertificate
	}
	scraped, serving, err := newMetrics(mgr, options)
	if err != nil {
		return nil, fmt.Errorf("--metrics-bind-address: %w", err)
	}
	if err := mgr.Add(scraped); err != nil {
		return nil, fmt.Errorf("add the server of the metrics: %w", err)
	}
	return serving, nil
}

// newProbes serves /healthz and /readyz on an address. The process is healthy while it answers.
func newProbes(address string, ready readiness) (*manager.Server, error) {
	mux := http.NewServeMux()
	for path, checks := range map[string]map[string]healthz.Checker{"/healthz": {"ping": healthz.Ping}, "/readyz": ready} {
		handler := http.StripPrefix(path, &healthz.Handler{Checks: checks})
		mux.Handle(path, handler)
		mux.Handle(path+"/", handler)
	}
	listener, err := endpoint.Listen(address, maxConnections)
	if err != nil {
		return nil, err
	}
	return newServer("health probe", listener, endpoint.NewServer(mux, probeLimits)), nil
}

// metricsOptions say how /metrics is served.
type metricsOptions struct {
	address string
	// secure says that it is over TLS, and for clients that the API server authorizes.
	secure bool
	// certificate is the certificate for a connection. By default one is made here, which nobody can verify.
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// resources writes what the registry does not hold.
	resources func(*exposition.Writer)
}

// newMetrics serves /metrics on an address. serving is nil as soon as it is served.
func newMetrics(mgr manager.Manager, options metricsOptions) (server *manager.Server, serving healthz.Checker, err error) {
	handler := exposition.NewHandler(metrics.Registry, options.resources, maxScrapes)
	bounded, err := endpoint.Listen(options.address, maxConnections)
	if err != nil {
		return nil, nil, err
	}
	var listener net.Listener = bounded
	if options.secure {
		if handler, err = authorized(mgr, handler); err != nil {
			return nil, nil, err
		}
		if listener, err = encrypted(listener, options.certificate); err != nil {
			return nil, nil, err
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", handler)
	return newServer("metrics", listener, endpoint.NewServer(mux, metricsLimits)), bounded.Ready, nil
}

// authorized lets only those through whom the API server knows and allows.
func authorized(mgr manager.Manager, handler http.Handler) (http.Handler, error) {
	tokens, err := authenticationv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up the authorization of metrics: %w", err)
	}
	access, err := authorizationv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("set up the authorization of metrics: %w", err)
	}
	return reviewed.NewHandler(reviewed.Options{
		Tokens: tokens.TokenReviews(), Access: access.SubjectAccessReviews(), Log: mgr.GetLogger().WithName("metrics"),
	}, handler), nil
}

// encrypted is TLS. Without a certificate it is one that nobody can verify; it keeps the scraper's token from others' eyes.
func encrypted(listener net.Listener, certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) (net.Listener, error) {
	config := &tls.Config{GetCertificate: certificate, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	if certificate == nil {
		content, key, err := certutil.GenerateSelfSignedCertKey("localhost", []net.IP{{127, 0, 0, 1}}, nil)
		if err != nil {
			return nil, fmt.Errorf("make the certificate of the metrics: %w", err)
		}
		pair, err := tls.X509KeyPair(content, key)
		if err != nil {
			return nil, fmt.Errorf("make the certificate of the metrics: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return tls.NewListener(listener, config), nil
}

func newServer(name string, listener net.Listener, server *http.Server) *manager.Server {
	second := time.Second
	return &manager.Server{Name: name, Server: server, Listener: endpoint.CountHeaders(listener), ShutdownTimeout: &second}
}
