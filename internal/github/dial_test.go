package github

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// nameServer answers every question for addresses with its own, and all others with nothing.
type nameServer struct{ answers []netip.Addr }

// resolver asks the name server and nobody else.
func (s nameServer) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		question := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(s.answer(question[:n]), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// answer makes the reply to a DNS message with one question (RFC 1035, section 4).
func (s nameServer) answer(message []byte) []byte {
	const header = 12
	end := header
	for message[end] != 0 {
		end += int(message[end]) + 1
	}
	kind := binary.BigEndian.Uint16(message[end+1:])
	reply := slices.Clone(message[:end+5])
	binary.BigEndian.PutUint16(reply[2:], 0x8580) // an authoritative reply without error
	count := uint16(0)
	for _, address := range s.answers {
		if (kind == 1) != address.Is4() || kind != 1 && kind != 28 {
			continue
		}
		count++
		reply = append(reply, 0xc0, header) // the name of the question
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = append(reply, 0, 1, 0, 0, 0, 0) // class IN, not to be cached
		reply = binary.BigEndian.AppendUint16(reply, uint16(len(address.AsSlice())))
		reply = append(reply, address.AsSlice()...)
	}
	binary.BigEndian.PutUint16(reply[6:], count)
	binary.BigEndian.PutUint16(reply[8:], 0)
	binary.BigEndian.PutUint16(reply[10:], 0)
	return reply
}

func TestAddressEachAddressOfANameIsCheckedBeforeItIsDialled(t *testing.T) {
	const name = "ghes.example.com"
	for _, tc := range []struct {
		name    string
		answers []string
		dialled []string
		reason  Reason // empty: the exchange succeeds
	}{
		{"the one that is allowed", []string{"127.0.0.1"}, []string{"127.0.0.1"}, ""},
		{"loopback first, then the one that is allowed", []string{"127.0.0.2", "127.0.0.1"}, []string{"127.0.0.1"}, ""},
		{"metadata first, then the one that is allowed", []string{"169.254.169.254", "127.0.0.1"}, []string{"127.0.0.1"}, ""},
		{"metadata over IPv6, then the one that is allowed", []string{"fd00:ec2::254", "fe80::1", "127.0.0.1"}, []string{"127.0.0.1"}, ""},
		{"the one that is allowed as IPv4 in IPv6", []string{"::ffff:127.0.0.1"}, []string{"127.0.0.1"}, ""},
		{"loopback", []string{"127.0.0.2"}, nil, AddressNotAllowed},
		{"loopback as IPv4 in IPv6", []string{"::ffff:127.0.0.2"}, nil, AddressNotAllowed},
		{"metadata as IPv4 in IPv6", []string{"::ffff:169.254.169.254"}, nil, AddressNotAllowed},
		{"metadata by NAT64", []string{"64:ff9b::169.254.169.254"}, nil, AddressNotAllowed},
		{"none that is allowed", []string{"127.0.0.2", "169.254.169.254", "::1", "0.0.0.0", "ff02::1"}, nil, AddressNotAllowed},
		{"no address", nil, nil, HostUnreachable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
			pair, ca := certificate(t, time.Now().Add(time.Hour), name)
			w.TLS.Certificates[0] = pair
			_, port, err := net.SplitHostPort(w.host())
			if err != nil {
				t.Fatal(err)
			}
			at := net.JoinHostPort(name, port)
			c := newTestClient(t, Options{AllowedHosts: []string{at}, RootCAs: ca})

			dialer := newDialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
			var server nameServer
			for _, answer := range tc.answers {
				server.answers = append(server.answers, netip.MustParseAddr(answer))
			}
			dialer.Resolver = server.resolver(t)
			var mu sync.Mutex
			var dialled []string
			check := dialer.Control
			dialer.Control = func(network, address string, conn syscall.RawConn) error {
				if err := check(network, address, conn); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, netip.MustParseAddrPort(address).Addr().String())
				return nil
			}
			c.dial = dialer.DialContext

			_, err = c.Exchange(t.Context(), App{Host: at, ClientID: clientID}, credential.NewRefreshToken(spent))
			requests := int32(0)
			switch {
			case tc.reason == "" && err != nil:
				t.Error(err)
			case tc.reason == "":
				requests = 1
			default:
				wantError(t, err, meanings[tc.reason].class, tc.reason, false)
			}
			if w.requests.Load() != requests {
				t.Errorf("%d requests arrived, want %d", w.requests.Load(), requests)
			}
			if !slices.Equal(dialled, tc.dialled) {
				t.Errorf("dialled %v, want %v", dialled, tc.dialled)
			}
		})
	}
}
