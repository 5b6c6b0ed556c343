package endpoint

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are made in memory, so that time can be simulated.
type pipes struct {
	incoming chan net.Conn
	closed   chan struct{}
}

func newPipes() *pipes {
	return &pipes{incoming: make(chan net.Conn, 100), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.closed); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns the client's end.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.incoming <- server
	return client
}

func isClosed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// accepted collects what a listener accepts, as a server would.
func accepted(l net.Listener) <-chan net.Conn {
	all := make(chan net.Conn, 100)
	go func() {
		defer close(all)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all <- c
		}
	}()
	return all
}

func TestEndpointOldestConnectionGivesWayToTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 2)
		all := accepted(l)
		first := p.dial()
		<-all
		time.Sleep(100 * time.Millisecond)
		second := p.dial()
		<-all
		began := time.Now()
		third := p.dial()
		<-all
		if waited := time.Since(began); waited != minStay-100*time.Millisecond {
			t.Errorf("the third waited %s, want the rest of the first one's %s", waited, minStay)
		}
		if !isClosed(first) || isClosed(second) || isClosed(third) {
			t.Error("not the first one, and only that, was closed")
		}
		_ = l.Close()
	})
}

func TestEndpointConnectionThatHasEndedMakesRoomAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 1)
		all := accepted(l)
		p.dial()
		done := <-all
		p.dial()
		synctest.Wait()
		began := time.Now()
		_ = done.Close()
		_ = done.Close() // counts once
		<-all
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the second waited %s", waited)
		}
		if got := l.open.Len(); got != 1 {
			t.Errorf("%d connections are counted as open, want 1", got)
		}
		_ = l.Close()
	})
}

func TestEndpointConnectionsThatEndByThemselvesCloseNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 2)
		all := accepted(l)
		stays := p.dial()
		<-all
		for range 10 {
			p.dial()
			_ = (<-all).Close()
			time.Sleep(minStay)
		}
		if isClosed(stays) {
			t.Error("a connection was closed although there was room")
		}
		_ = l.Close()
	})
}

func TestEndpointListenerEndsWhileItWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 1)
		all := accepted(l)
		p.dial()
		<-all
		waits := p.dial()
		synctest.Wait()
		_ = l.Close()
		if _, more := <-all; more {
			t.Error("a connection was accepted after the listener was closed")
		}
		if !isClosed(waits) {
			t.Error("the connection that waited is left open")
		}
	})
}

// A client that is known, and waits, keeps its connection whoever else comes, and takes no place of theirs.
func TestEndpointHeldConnectionDoesNotGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 1)
		all := accepted(l)
		first := p.dial()
		request := context.WithValue(t.Context(), connKey{}, <-all)
		second := p.dial()
		synctest.Wait() // There is no room yet.
		release := Hold(request, httptest.NewRecorder(), time.Minute)
		other := <-all
		time.Sleep(time.Second)
		third := p.dial()
		<-all
		if isClosed(first) || !isClosed(second) || isClosed(third) {
			t.Error("the one that is held has given way, or another one has not")
		}
		_ = other.Close()
		time.Sleep(time.Second)
		release()
		fourth := p.dial()
		<-all
		if !isClosed(first) || !isClosed(third) || isClosed(fourth) {
			t.Error("the one that is held no longer has not given way, or the other one has not")
		}
		release()
		_ = l.Close()
		if l.held != 0 {
			t.Errorf("%d are counted as held", l.held)
		}
	})
}

func TestEndpointHeldConnectionThatEndsIsCountedNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 1)
		all := accepted(l)
		p.dial()
		held := <-all
		release := Hold(context.WithValue(t.Context(), connKey{}, held), httptest.NewRecorder(), time.Minute)
		_ = held.Close()
		release()
		if l.held != 0 || l.open.Len() != 0 {
			t.Errorf("%d are held, and %d open", l.held, l.open.Len())
		}
		_ = l.Close()
	})
}
