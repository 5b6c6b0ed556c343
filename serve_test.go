package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
	"github.com/githubusertoken/github-user-token-operator/internal/exposition"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// serveUntilTheEnd runs a server until the test ends, and returns its URL.
func serveUntilTheEnd(t *testing.T, server *manager.Server, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + server.Listener.Addr().String()
}

func get(t *testing.T, url string, header http.Header) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	content, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(content)
}

func TestServeProbesAndMetricsAreServed(t *testing.T) {
	ready := readiness{}
	var unready error
	ready.wantOnce("namespaces", func(*http.Request) error { return unready })
	scraped, serving, err := newMetrics(nil, metricsOptions{address: "127.0.0.1:0", resources: func(*exposition.Writer) {}})
	if err != nil {
		t.Fatal(err)
	}
	ready.wantOnce("metrics", serving)
	probes, err := newProbes("127.0.0.1:0", ready)
	url := serveUntilTheEnd(t, probes, err)
	for what, want := range map[string]int{"/healthz": http.StatusOK, "/healthz/ping": http.StatusOK, "/readyz": http.StatusInternalServerError, "/readyz/metrics": http.StatusInternalServerError, "/readyz/namespaces": http.StatusOK} {
		if status, _ := get(t, url+what, nil); status != want {
			t.Errorf("%s before the metrics are served: status %d, want %d", what, status, want)
		}
	}
	metricsURL := serveUntilTheEnd(t, scraped, nil)
	if status, body := get(t, metricsURL+"/metrics", nil); status != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("/metrics: status %d, %d bytes", status, len(body))
	}
	for _, path := range []string{"/healthz", "/readyz", "/readyz/metrics"} {
		if status, _ := get(t, url+path, nil); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

// A version that cannot work here never becomes ready, so that a rollout stops at its first pod. One that works stays ready: the
// pod that is not is the first to be deleted, and what it lacks may be what keeps it from storing a pair.
func TestServeReadyIsAskedUntilItIs(t *testing.T) {
	for name, lacking := range map[string]error{
		"permissions": errors.New("no namespace can be watched"), "the outbox": errors.New("read-only file system"), "caches": errNotSynced,
	} {
		t.Run(name, func(t *testing.T) {
			unready := lacking
			ready := readiness{}
			ready.wantOnce("this", func(*http.Request) error { return unready })
			ready.wantOnce("that", func(*http.Request) error { return nil })
			probes, err := newProbes("127.0.0.1:0", ready)
			url := serveUntilTheEnd(t, probes, err)
			expect := func(when string, want int) {
				t.Helper()
				if status, _ := get(t, url+"/readyz", nil); status != want {
					t.Errorf("%s: status %d, want %d", when, status, want)
				}
				if status, _ := get(t, url+"/healthz", nil); status != http.StatusOK {
					t.Errorf("%s: /healthz has the status %d", when, status)
				}
			}
			for range 3 {
				expect("as long as it lacks "+name, http.StatusInternalServerError)
			}
			unready = nil
			expect("when nothing is lacking", http.StatusOK)
			unready = lacking
			expect("when it is lacking later", http.StatusOK)
		})
	}
}

// Whoever reaches the pod can make these servers neither read much, nor keep others out.
func TestServeProbesAndMetricsAreBounded(t *testing.T) {
	probes, err := newProbes("127.0.0.1:0", readiness{"ping": healthz.Ping})
	if err != nil {
		t.Fatal(err)
	}
	scraped, _, err := newMetrics(nil, metricsOptions{address: "127.0.0.1:0", resources: func(*exposition.Writer) {}})
	if err != nil {
		t.Fatal(err)
	}
	for path, server := range map[string]*manager.Server{"/readyz": probes, "/metrics": scraped} {
		url := serveUntilTheEnd(t, server, nil)
		if limits := server.Server; limits.ReadHeaderTimeout == 0 || limits.ReadTimeout == 0 || limits.WriteTimeout == 0 {
			t.Errorf("%s: a request may take for ever", path)
		}
		if status, _ := get(t, url+path, http.Header{"X": {strings.Repeat("x", 32<<10)}}); status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: headers of 32 KiB are answered with %d", path, status)
		}
		for range 4 * maxConnections {
			silent, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = silent.Close() }()
		}
		began := time.Now()
		if status, _ := get(t, url+path, nil); status != http.StatusOK || time.Since(began) > 4*time.Second {
			t.Errorf("%s: status %d after %s, beside silent connections", path, status, time.Since(began))
		}
	}
}

// A certificate that was issued for the metrics is served, and the next one when it is renewed.
func TestServeMetricsCertificateIsFollowed(t *testing.T) {
	dir := t.TempDir()
	issue := func() *x509.CertPool {
		certificate, key, err := certutil.GenerateSelfSignedCertKey("metrics.test", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(certificate)
		return pool
	}
	first := issue()
	watcher, err := certwatcher.New(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	watcher.WithWatchInterval(50 * time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Start(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := encrypted(plain, watcher.GetCertificate)
	if err != nil {
		t.Fatal(err)
	}
	server := newServer("metrics", listener, endpoint.NewServer(http.NotFoundHandler(), metricsLimits))
	serveUntilTheEnd(t, server, nil)
	trusted := func(pool *x509.CertPool) error {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: "metrics.test", MinVersion: tls.VersionTLS12}}
		conn, err := dialer.DialContext(t.Context(), "tcp", plain.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := trusted(first); err != nil {
		t.Fatalf("the certificate cannot be verified: %v", err)
	}
	second := issue()
	suite.Eventually(t, 20*time.Second, "the renewed certificate", func() (bool, string) {
		err := trusted(second)
		return err == nil, fmt.Sprint(err)
	})
	if trusted(first) == nil {
		t.Error("the former certificate is still served")
	}
}
