package endpoint

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Six bytes of a header make more than a hundred in memory. Nobody sends many.
func TestEndpointHeadersAreCountedBeforeTheyAreParsed(t *testing.T) {
	for name, c := range map[string]struct {
		headers int
		body    string
		status  int
	}{
		"few":                                {10, "", http.StatusOK},
		"as many as may be":                  {maxHeaders - 4, "", http.StatusOK}, // Beside the request line, the host, the length and the end.
		"one more":                           {maxHeaders - 3, "", http.StatusBadRequest},
		"thousands":                          {3000, "", http.StatusBadRequest},
		"a body of lines is none of headers": {10, strings.Repeat("\n", 1000), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				var seen atomic.Int64
				server := NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Add(int64(len(r.Header))) }), Limits{Request: time.Second, Reply: time.Second, Headers: 16 << 10})
				go func() { _ = server.Serve(CountHeaders(limit(p, 2))) }()
				client := p.dial()
				go func() {
					var head strings.Builder
					fmt.Fprintf(&head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", len(c.body))
					for i := range c.headers {
						fmt.Fprintf(&head, "%x:\r\n", i)
					}
					for _, b := range []byte(head.String() + "\r\n" + c.body) { // A byte at a time: nothing depends on how they arrive.
						if _, err := client.Write([]byte{b}); err != nil {
							return
						}
					}
				}()
				response, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil || response.StatusCode != c.status {
					t.Fatalf("got %v, %v", response, err)
				}
				_ = response.Body.Close()
				if handed := seen.Load() > 0; handed != (c.status == http.StatusOK) {
					t.Errorf("the handler has seen %d headers", seen.Load())
				}
				_, _ = client.Close(), server.Close()
			})
		})
	}
}

// A connection that is counted is held like any other.
func TestEndpointCountedConnectionCanBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 1)
		all := accepted(CountHeaders(layer{l}))
		first := p.dial()
		release := Hold(context.WithValue(t.Context(), connKey{}, <-all), httptest.NewRecorder(), time.Minute)
		second := p.dial()
		<-all
		time.Sleep(time.Second)
		third := p.dial()
		<-all
		if isClosed(first) || !isClosed(second) || isClosed(third) {
			t.Error("the one that is held has given way, or another one has not")
		}
		release()
		_ = l.Close()
	})
}

// layer is a listener whose connections lie in others, as those of TLS do.
type layer struct{ net.Listener }

func (l layer) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return layered{c}, err
}

type layered struct{ net.Conn }

func (l layered) NetConn() net.Conn { return l.Conn }
