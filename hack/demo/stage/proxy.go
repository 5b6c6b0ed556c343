package stage

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// startProxy runs the proxy by which the operator finds the stand-in at the
// names of GitHub, and returns its URL.
func (s *Stage) startProxy() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the proxy: %w", err)
	}
	server := &http.Server{Handler: &gate{closed: &s.noEgress, next: tunnels{
		"github.com:443":     s.GitHub.where.Host,
		"api.github.com:443": s.GitHub.where.Host,
	}}, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // always ErrServerClosed
	s.closers = append(s.closers, func() { _ = server.Close() })
	return "http://" + listener.Addr().String(), nil
}

// DenyEgress keeps the operator from GitHub, or lets it through again. What is connected stays so.
func (s *Stage) DenyEgress(deny bool) { s.noEgress.Store(deny) }

// gate lets nobody through while it is closed.
type gate struct {
	closed *atomic.Bool
	next   http.Handler
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.closed.Load() {
		http.Error(w, "there is no way out", http.StatusForbidden)
		return
	}
	g.next.ServeHTTP(w, r)
}

// tunnels is an HTTP proxy that opens a tunnel for CONNECT to the names that are
// its keys, to the address beside each. Nothing else is let through.
type tunnels map[string]string

func (t tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served", http.StatusMethodNotAllowed)
		return
	}
	address, known := t[r.Host]
	if !known {
		http.Error(w, "there is no way to this host", http.StatusForbidden)
		return
	}
	var dialer net.Dialer
	there, err := dialer.DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, "the stand-in cannot be reached", http.StatusBadGateway)
		return
	}
	defer func() { _ = there.Close() }()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = here.Close() }()
	if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { pass(there, buffered) })
	both.Go(func() { pass(here, there) })
	both.Wait()
}

// pass copies until the end, and passes the end on.
func pass(to net.Conn, from io.Reader) {
	_, _ = io.Copy(to, from) // a broken tunnel is for its two ends to notice
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
