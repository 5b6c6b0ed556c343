//go:build linux

package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Listen listens on an address of the node's network. A socket belongs to the network in which it was
// made, wherever it is used. The listener is closed by Stop.
func (n *Node) Listen(address string) (net.Listener, error) {
	var listener net.Listener
	err := n.inside(func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s in the network of %s: %w", address, n.Name, err)
	}
	n.closers = append(n.closers, listener)
	return listener, nil
}

// Dial connects to an address of the node's network, such as a pod's.
func (n *Node) Dial(ctx context.Context, address string) (net.Conn, error) {
	var conn net.Conn
	err := n.inside(func() (err error) {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, "tcp", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s in the network of %s: %w", address, n.Name, err)
	}
	return conn, nil
}

// Forward lets pods reach a server on the machine, such as 127.0.0.1:8443, at an address of the node's
// network.
func (n *Node) Forward(address, server string) error {
	return n.ForwardBy(address, func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", server)
	})
}

// ForwardBy lets pods reach what dial connects to at an address of the node's network. A connection that
// cannot be forwarded is closed.
func (n *Node) ForwardBy(address string, dial func(context.Context) (net.Conn, error)) error {
	listener, err := n.Listen(address)
	if err != nil {
		return err
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed by Stop
			}
			go func() {
				upstream, err := dial(context.Background())
				if err != nil {
					_ = client.Close()
					return
				}
				Join(client, upstream)
			}()
		}
	}()
	return nil
}

// Join copies between two connections until both directions have ended, and closes them.
func Join(a, b net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // either end may go at any time
			if half, ok := way[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
	_ = a.Close()
	_ = b.Close()
}

// inside calls do on a thread that is in the node's network. The thread ends afterwards.
func (n *Node) inside(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		done <- func() error {
			space, err := os.Open(filepath.Join("/proc", strconv.Itoa(n.pid), "ns", "net"))
			if err != nil {
				return err
			}
			defer space.Close()
			if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter its network: %w", err)
			}
			return do()
		}()
	}()
	return <-done
}
