package endpoint

import (
	"context"
	"net"
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
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	server.SetKeepAlivesEnabled(false)
	return server
}

// connKey is by which the context of a request has its connection.
type connKey struct{}

// Hold has the connection of a request not give way to new ones until release is called, and take so long at most: its client is known by now, and
// waits for something. It must be for a bounded number of requests at once: their connections count no longer among those of the listener. ctx is the request's, and w its
// writer.
func Hold(ctx context.Context, w http.ResponseWriter, atMost time.Duration) (release func()) {
	end := time.Now().Add(atMost)
	controller := http.NewResponseController(w)
	// Where there are no deadlines none is in the way. That of reading ends the wait as well, since it is how a server hears that a client has gone.
	_, _ = controller.SetReadDeadline(end), controller.SetWriteDeadline(end)
	c, _ := ctx.Value(connKey{}).(net.Conn)
	for { // Encryption and the like lie around it.
		around, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = around.NetConn()
	}
	held, ok := c.(*conn)
	if !ok {
		return func() {}
	}
	held.hold(true)
	return func() { held.hold(false) }
}
