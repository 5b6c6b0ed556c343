package githubtest

import (
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"
)

// play serves a request under a fault.
func (s *Server) play(w http.ResponseWriter, c *call, injection *Injection, answer func(*call) reply) {
	fault := &injection.fault
	if !fault.Committed && !s.wait(c, injection) {
		s.tell(c)
		panic(http.ErrAbortHandler)
	}
	var result reply
	if fault.Committed || fault.Effect == NoEffect {
		result = s.process(c, answer)
	} else {
		s.tell(c)
		result = textReply(http.StatusBadGateway, "text/html; charset=utf-8", unicorn)
	}
	if fault.Committed && !s.wait(c, injection) {
		panic(http.ErrAbortHandler)
	}
	s.distort(&result, fault)
	result.encode(c.r.Header.Get("Accept"))
	s.transmit(w, c, fault, &result)
}

// wait keeps the request as long as the fault wants, and reports whether to go on.
func (s *Server) wait(c *call, injection *Injection) bool {
	fault := &injection.fault
	gone := c.r.Context().Done()
	if fault.DespiteHangUp {
		gone = nil
	}
	if fault.Held {
		select {
		case <-injection.release:
		case <-s.done:
		case <-gone:
			return false
		}
	}
	return s.pause(fault.Delay, gone)
}

// pause waits for d and reports whether the client is still there.
func (s *Server) pause(d time.Duration, gone <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return true
	case <-gone:
		return false
	}
}

// distort changes what the reply says.
func (s *Server) distort(result *reply, fault *Fault) {
	switch fault.Effect {
	case ReplyWith:
		*result = textReply(fault.Status, fault.ContentType, fault.Body)
		result.header = fault.Header
	case ReplyError:
		s.mu.Lock()
		*result = s.refusal(oauthError(fault.Error))
		s.mu.Unlock()
		if fault.Status != 0 {
			result.status = fault.Status
		}
		result.header = fault.Header
	case Change:
		if result.fields == nil {
			break // nothing was processed
		}
		maps.Copy(result.fields, fault.Fields)
		maps.DeleteFunc(result.fields, func(_ string, value any) bool { return value == nil })
	case Pad:
		if result.fields == nil {
			result.body = []byte(strings.Repeat("x", fault.Bytes))
		} else {
			result.fields["zz_padding"] = strings.Repeat("x", fault.Bytes)
		}
	}
}

// transmit sends the reply, or what the fault leaves of it.
func (s *Server) transmit(w http.ResponseWriter, c *call, fault *Fault, result *reply) {
	switch fault.Effect {
	case Reset:
		hangUp(w, true)
	case Close:
		hangUp(w, false)
	case Cut:
		result.sendHeader(w, len(result.body))
		_, _ = w.Write(result.body[:cutAt(fault.Bytes, len(result.body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case Drip:
		result.sendHeader(w, len(result.body))
		for i := range result.body {
			if i > 0 && !s.pause(fault.Every, c.r.Context().Done()) {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(result.body[i : i+1])
			_ = http.NewResponseController(w).Flush()
		}
	case Mislabel:
		result.kind = fault.ContentType
		result.send(w)
	default:
		result.send(w)
	}
}

func cutAt(n, length int) int {
	if n < 0 {
		n += length
	}
	return max(0, min(n, length))
}

// hangUp ends the connection without a reply: with a TCP reset, or as a host does that just goes. Over HTTP/2, where
// the connection is shared, and without a connection it ends the stream.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn() // no close_notify
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
