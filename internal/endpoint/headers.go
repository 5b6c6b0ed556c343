package endpoint

import (
	"bytes"
	"errors"
	"net"
)

// maxHeaders is how many lines the head of a request may have, the request line included. Browsers send about twenty headers, and proxies
// add some.
const maxHeaders = 64

// errTooManyHeaders is answered by 400.
var errTooManyHeaders = errors.New("too many headers")

// CountHeaders has connections break off that send more header lines than any client does. Go bounds their bytes alone, and takes more than
// a hundred bytes of memory for one of six, so that they have to be counted before they are parsed. The listener's connections are read in plain,
// which is to say that it decrypts them where they are encrypted, and each of them bears one request.
func CountHeaders(inner net.Listener) net.Listener { return countingListener{inner} }

type countingListener struct{ net.Listener }

// Accept implements net.Listener.
func (l countingListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: accepted}, nil
}

// countedConn is a connection that is read by one goroutine at a time.
type countedConn struct {
	net.Conn

	lines int
	// blank says that nothing has been read since the last line ended, and done that the headers have.
	blank, done bool
}

// Read implements net.Conn. What has too many lines is not handed on.
func (c *countedConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if !c.count(into[:n]) {
		return 0, errTooManyHeaders
	}
	return n, err
}

func (c *countedConn) count(content []byte) (few bool) {
	for !c.done {
		end := bytes.IndexByte(content, '\n')
		line := content
		if end >= 0 {
			line = content[:end]
		}
		c.blank = c.blank && len(bytes.Trim(line, "\r")) == 0
		if end < 0 {
			return true
		}
		if c.lines++; c.lines > maxHeaders {
			return false
		}
		c.done, c.blank = c.blank, true
		content = content[end+1:]
	}
	return true
}

// NetConn is what the connection is made of; see Hold.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite sends the end of what is written; see conn.CloseWrite.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
