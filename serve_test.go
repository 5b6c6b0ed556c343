package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// serving runs a server until the test ends, and returns its URL.
func serving(t *testing.T, server *manager.Server, err error) string {
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
	var unready error
	probes, err := newProbes("127.0.0.1:0", func(*http.Request) error { return unready })
	url := serving(t, probes, err)
	for _, path := range []string{"/healthz", "/readyz", "/healthz/ping", "/readyz/ping"} {
		if status, _ := get(t, url+path, nil); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
	unready = errors.New("no namespace can be watched")
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusInternalServerError} {
		if status, _ := get(t, url+path, nil); status != want {
			t.Errorf("%s of an operator that serves nobody: status %d, want %d", path, status, want)
		}
	}
	scraped, err := newMetrics(nil, "127.0.0.1:0", false)
	url = serving(t, scraped, err)
	if status, body := get(t, url+"/metrics", nil); status != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("/metrics: status %d, %d bytes", status, len(body))
	}
}

// Whoever reaches the pod can make these servers neither read much, nor keep others out.
func TestServeProbesAndMetricsAreBounded(t *testing.T) {
	probes, err := newProbes("127.0.0.1:0", healthz.Ping)
	if err != nil {
		t.Fatal(err)
	}
	scraped, err := newMetrics(nil, "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	for path, server := range map[string]*manager.Server{"/readyz": probes, "/metrics": scraped} {
		url := serving(t, server, nil)
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
