package github

import (
	"errors"
	"net"
	"sync"
	"time"
)

var errNotSent = errors.New("the request was not sent")

// guard stands between one request and the wire. It answers two questions that decide over a refresh
// token: may this request still be sent, and was any byte of it sent?
//
// It is armed once the connection and its TLS session stand; from then on every write is the request's.
type guard struct {
	deadline time.Time // carries a monotonic reading
	now      func() time.Time

	mu     sync.Mutex
	armed  bool
	sealed bool
	sent   bool
	sentAt time.Time
}

func (g *guard) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = true
}

// begin is called right before the system call of a write. A process can be stopped (SIGSTOP, a paused
// container, a long pause) at any instruction, and when it goes on somebody else may have taken its work over;
// so the deadline counts here and not where the exchange was decided.
func (g *guard) begin() (first bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.armed {
		return false, nil
	}
	first = !g.sent
	if first && (g.sealed || !time.Now().Before(g.deadline)) {
		g.sealed = true
		return false, errNotSent
	}
	if first {
		// Said before the write and not after it: the answer to it, or a reset, may be seen first.
		g.sent, g.sentAt = true, g.now()
	}
	return first, nil
}

// end takes "sent" back if the kernel did not accept a single byte.
func (g *guard) end(first bool, written int) {
	if first && written == 0 {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.sealed {
			g.sent, g.sealed = false, true
		}
	}
}

// seal reports whether anything was sent, and makes that answer final: whatever goroutine still holds the
// connection can no longer begin.
func (g *guard) seal() (sent bool, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sealed = true
	return g.sent, g.sentAt
}

// guardedConn is the TCP connection below TLS, so the guard is asked after encryption, right before
// the system call.
type guardedConn struct {
	net.Conn
	guard *guard
}

func (c *guardedConn) Write(p []byte) (int, error) {
	first, err := c.guard.begin()
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	c.guard.end(first, n)
	return n, err
}
