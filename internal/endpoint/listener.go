package endpoint

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// minStay is for how long a connection is not closed in favour of a new one. A request whose first packet follows
// the handshake is answered well within it.
const minStay = 250 * time.Millisecond

// errNotServing: nobody accepts connections yet.
var errNotServing = errors.New("connections are not accepted yet")

// Listen listens on an address, HOST:PORT, for so many connections at once, beside those that are held; see Hold.
func Listen(address string, connections int) (*Listener, error) {
	inner, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return limit(inner, connections), nil
}

// limit bounds the open connections of a listener. When there are as many as may be, the oldest one is closed for
// the next: a client that holds connections open, and sends nothing, then delays others by no more than minStay. If
// new ones were made to wait instead, a few hundred silent connections would keep everybody out until their deadline,
// and again, for as long as somebody likes. It fits servers of short requests only, one to a connection.
func limit(inner net.Listener, connections int) *Listener {
	return &Listener{Listener: inner, limit: connections, changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Listener is what Listen makes.
type Listener struct {
	net.Listener
	limit int
	// serving says that a server has begun to accept.
	serving atomic.Bool
	// changed is signalled when a connection has ended, or is held.
	changed chan struct{}
	closed  chan struct{}
	once    sync.Once

	mu   sync.Mutex
	open list.List // of *conn, the oldest first
	// held is how many of them are held.
	held int
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	l.serving.Store(true)
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	// Nothing is read of it before there is room.
	if err := l.makeRoom(); err != nil {
		return nil, errors.Join(err, accepted.Close())
	}
	c := &conn{Conn: accepted, listener: l, since: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.element = l.open.PushBack(c)
	return c, nil
}

// Ready is nil as soon as a server accepts the connections: before that they wait, and it is not sure that it will. It is
// a check of /readyz.
func (l *Listener) Ready(*http.Request) error {
	if !l.serving.Load() {
		return errNotServing
	}
	return nil
}

// makeRoom returns when there are fewer connections than may be, or the listener is closed. Only Accept adds any,
// and a server calls it in one goroutine.
func (l *Listener) makeRoom() error {
	for {
		l.mu.Lock()
		if l.open.Len()-l.held < l.limit {
			l.mu.Unlock()
			return nil
		}
		oldest, stay := l.oldest(), minStay
		l.mu.Unlock()
		if oldest != nil {
			stay = time.Until(oldest.since.Add(minStay))
		}
		if stay <= 0 {
			_ = oldest.Close()
			continue
		}
		wait := time.NewTimer(stay)
		select {
		case <-wait.C:
		case <-l.changed:
		case <-l.closed:
			return fmt.Errorf("accept: %w", net.ErrClosed)
		}
	}
}

// oldest is the connection that gives way first; nil when there is none.
func (l *Listener) oldest() *conn {
	for element := l.open.Front(); element != nil; element = element.Next() {
		if c := element.Value.(*conn); !c.held {
			return c
		}
	}
	return nil
}

// signal tells makeRoom that something has changed.
func (l *Listener) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	l.once.Do(func() { close(l.closed) })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

type conn struct {
	net.Conn
	listener *Listener
	since    time.Time
	element  *list.Element
	once     sync.Once
	// held says that it does not give way to a new one, and gone that it has ended.
	held, gone bool
}

func (c *conn) hold(held bool) {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if c.held == held || c.gone {
		return
	}
	if c.held = held; held {
		c.listener.held++
	} else {
		c.listener.held--
	}
	c.listener.signal()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.listener.mu.Lock()
		c.listener.open.Remove(c.element)
		if c.gone = true; c.held {
			c.listener.held--
		}
		c.listener.mu.Unlock()
		c.listener.signal()
	})
	return c.Conn.Close()
}

// CloseWrite sends the end of what is written. The server looks for this method, to let a client that is still
// sending read its answer before the connection is cut.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
