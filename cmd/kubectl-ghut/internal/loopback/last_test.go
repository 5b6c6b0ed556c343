package loopback

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Any user of the machine can ask at the port: who has logged in, and whether, is told to nobody but the browser that has brought the answer.
func TestLoopbackTellsWhatCameOfTheLoginToTheBrowserThatBroughtTheAnswerAlone(t *testing.T) {
	s, other := listenBoth(t)
	response, _ := visit(t, http.MethodGet, s.CallbackURL()+query("code", "c0de", "state", state), nil)
	last := response.Header.Get("Location")
	s.Finish(true, "Logged in as octocat (id 1).")
	for _, path := range []string{
		"/done", "/done/", "/done/" + other.ticket, last + "x", last[:len(last)-1], last + "/", "/denied", "/denied/", "/failed", "/failed/", strings.ToLower(last),
	} {
		if response, body := visit(t, http.MethodGet, s.base+path, nil); response.StatusCode != http.StatusNotFound || strings.Contains(body, "octocat") || strings.Contains(body, "logged in") {
			t.Errorf("%s is %s: %s", path, response.Status, body)
		}
	}
	select {
	case <-s.shown:
		t.Error("who cannot see the last page has it count as shown")
	default:
	}
	if response, body := visit(t, http.MethodGet, s.base+last, nil); response.StatusCode != http.StatusOK || !strings.Contains(body, "Logged in as octocat (id 1).") {
		t.Errorf("the browser that has brought the answer sees %s: %s", response.Status, body)
	}
	if len(s.ticket) < 26 || s.ticket == other.ticket {
		t.Errorf("the tickets are %q and %q", s.ticket, other.ticket)
	}
}

func listenBoth(t *testing.T) (s, other *Server) {
	t.Helper()
	s, _ = listen(t, nil)
	other, _ = listen(t, nil)
	return s, other
}

// pipes is a listener whose connections are in memory, so that their deadlines are by the clock of a bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8976} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.conns <- there
	return here, nil
}

// GitHub and the operator may take their time: what comes of the login is told for as long as the page waits for it.
func TestLoopbackLastPageWaitsForTheOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		says  string
	}{
		"soon":     {time.Second, "Logged in as octocat."},
		"late":     {resultWait - time.Second, "Logged in as octocat."},
		"too late": {resultWait + time.Second, "There you see whether the login has worked."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipes{make(chan net.Conn, 1), make(chan struct{})}
				s := serve(p)
				defer s.Close()
				client := &http.Client{Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true}}
				var operator sync.WaitGroup
				operator.Go(func() {
					time.Sleep(c.after)
					s.Finish(true, "Logged in as octocat.")
				})
				defer operator.Wait()
				begun := time.Now()
				response, err := client.Get(s.base + "/done/" + s.ticket)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil || !strings.Contains(string(body), c.says) {
					t.Errorf("after %s it says (%v): %s", time.Since(begun), err, body)
				}
				if took := time.Since(begun); took != min(c.after, resultWait) {
					t.Errorf("it says so after %s", took)
				}
			})
		})
	}
}

// A code is tried to be handed on for a minute: the browser is told what came of that, however long it took.
func TestLoopbackCallbackIsAnsweredHoweverLongTheCodeIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn, 1), make(chan struct{})}
		s := serve(p)
		defer s.Close()
		s.showOnce.Do(func() { close(s.shown) }) // No browser comes for the last page.
		s.Expect(state, func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		client := &http.Client{
			Transport:     &http.Transport{DialContext: p.dial, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		response, err := client.Get(s.CallbackURL() + query("code", "c0de", "state", state))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if to := response.Header.Get("Location"); to != "/failed/"+s.ticket {
			t.Errorf("after a minute it is led to %q", to)
		}
	})
}
