package endpoint

import (
	"net/http"
	"time"
)

// Limits are what one request may take. All are needed.
type Limits struct {
	// Request is how long a request may take to arrive, with its body.
	Request time.Duration
	// Reply is how long it may then take until the reply is sent.
	Reply time.Duration
	// Headers bounds the bytes of the request line and the headers. Go adds 4 KiB to it.
	Headers int
}

// NewServer makes a server of one request to a connection: keeping connections open for more would save a handshake
// now and then, and would make it matter which of them is closed for a new one.
func NewServer(handler http.Handler, limits Limits) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: limits.Request,
		ReadTimeout:       limits.Request,
		WriteTimeout:      limits.Request + limits.Reply, // It is counted from the end of the headers.
		MaxHeaderBytes:    limits.Headers,
	}
	server.SetKeepAlivesEnabled(false)
	return server
}
