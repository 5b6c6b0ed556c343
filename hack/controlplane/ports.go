package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range from which Linux (32768) and macOS
// (49152) choose the ports of outgoing connections: a component that is stopped
// for a while must find its port free when it comes back. They also lie below
// the range of node ports (30000).
const (
	lowestPort  = 20000
	highestPort = 29999
)

// port is a TCP port reserved for a component. The UDP port of the same number
// is held meanwhile, by which other control planes of this machine see that it
// is taken while the component is down; the kernel lets go of it when this
// process ends, however it ends.
type port struct {
	number int
	mark   net.PacketConn
}

func reservePort(address string) (port, error) {
	for range 1000 {
		number := lowestPort + rand.IntN(highestPort-lowestPort+1)
		mark, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(number)))
		if err != nil {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(number)))
		if err != nil {
			mark.Close()
			continue
		}
		listener.Close()
		return port{number: number, mark: mark}, nil
	}
	return port{}, errors.New("no free port between " + strconv.Itoa(lowestPort) + " and " + strconv.Itoa(highestPort) + " on " + address)
}

func (p port) release() { p.mark.Close() }

func (p port) String() string { return strconv.Itoa(p.number) }

func (p port) url(host string) string {
	return fmt.Sprintf("https://%s", net.JoinHostPort(host, p.String()))
}
