package webhook

import (
	"net/http"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/endpoint"
)

// maxConnections times maxBody, and the headers, is what strangers can make the receiver hold: about 10 MiB.
const maxConnections = 128

// limits are far above what a delivery of GitHub takes behind an Ingress; GitHub itself waits for ten seconds.
var limits = endpoint.Limits{Request: 5 * time.Second, Reply: 2 * time.Second, Headers: 16 << 10}

// Listener is what Listen makes.
type Listener = endpoint.Listener

// Listen listens for deliveries on an address, HOST:PORT. Hand the listener to a server of NewServer.
func Listen(address string) (*Listener, error) { return endpoint.Listen(address, maxConnections) }

// NewServer makes a server that hands deliveries to a handler.
func NewServer(handler http.Handler) *http.Server { return endpoint.NewServer(handler, limits) }

// Serve has a server of NewServer serve at a listener.
func Serve(server *http.Server, at *Listener) error { return server.Serve(endpoint.CountHeaders(at)) }
