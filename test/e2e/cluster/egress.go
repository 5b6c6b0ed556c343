//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/githubusertoken/github-user-token-operator/test/e2e/node"
)

// egress is how the API server reaches kubelets, whose networks are closed: it asks this proxy to CONNECT,
// as it asks konnectivity elsewhere. That is what kubectl logs and exec take.
type egress struct {
	path   string
	server *http.Server

	mu    sync.Mutex
	nodes map[string]*node.Node // by name, which the API server prefers, and by address
}

func egressConfig(socket string) string {
	return `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {uds: {udsName: ` + socket + `}}
`
}

func startEgress(path string) (*egress, error) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the API server's connections to nodes: %w", err)
	}
	e := &egress{path: path, nodes: map[string]*node.Node{}}
	e.server = &http.Server{Handler: http.HandlerFunc(e.connect), ReadHeaderTimeout: time.Minute}
	go func() { _ = e.server.Serve(listener) }() // until Close
	return e, nil
}

func (e *egress) add(n *node.Node) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nodes[n.Name], e.nodes[n.Address] = n, n
}

func (e *egress) Close() error { return e.server.Close() }

func (e *egress) connect(w http.ResponseWriter, r *http.Request) {
	upstream, err := e.dial(r.Context(), r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = upstream.Close()
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// What cannot be written shows at the flush.
	_, _ = buffered.WriteString("HTTP/1.1 200 Connection established\r\n\r\n")
	if err := buffered.Flush(); err != nil {
		_ = client.Close()
		_ = upstream.Close()
		return
	}
	node.Join(client, upstream)
}

func (e *egress) dial(ctx context.Context, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	n := e.nodes[host]
	e.mu.Unlock()
	if n == nil {
		return nil, errors.New("no node has the name or address " + host)
	}
	return n.Dial(ctx, net.JoinHostPort(n.Address, port))
}
