package github

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const (
	spent       = "ghr_SPENTspentSPENTspentSPENT"
	newAccess   = "ghu_NEWnewNEWnewNEWnewNEWnew"
	newRefresh  = "ghr_NEWnewNEWnewNEWnewNEWnew"
	theSecret   = "SECRETsecretSECRETsecret"
	clientID    = "Iv23liEXAMPLE"
	pairAsJSON  = `{"access_token":"` + newAccess + `","expires_in":28800,"refresh_token":"` + newRefresh + `","refresh_token_expires_in":15897600,"scope":"","token_type":"bearer"}`
	pairAsForm  = "access_token=" + newAccess + "&expires_in=28800&refresh_token=" + newRefresh + "&refresh_token_expires_in=15897600&scope=&token_type=bearer"
	pairAsXML   = `<?xml version="1.0" encoding="UTF-8"?><OAuth><access_token>` + newAccess + `</access_token><expires_in>28800</expires_in><refresh_token>` + newRefresh + `</refresh_token><refresh_token_expires_in>15897600</refresh_token_expires_in><scope></scope><token_type>bearer</token_type></OAuth>`
	htmlPage    = "<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body>We had issues</body></html>"
	loopbackNet = "127.0.0.0/8"
)

// wire is a TLS server that counts the connections and requests it gets.
type wire struct {
	*httptest.Server
	connections, requests atomic.Int32
}

func newWire(t *testing.T, handler http.HandlerFunc) *wire {
	t.Helper()
	w := &wire{}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		handler(rw, r)
	}))
	w.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			w.connections.Add(1)
		}
	}
	w.Config.ErrorLog = quiet
	w.EnableHTTP2 = true
	w.StartTLS()
	t.Cleanup(w.Close)
	return w
}

func (w *wire) host() string { return w.Listener.Addr().String() }

func (w *wire) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Certificate().Raw})
}

func (w *wire) options() Options {
	return Options{
		AllowedHosts:     []string{w.host()},
		AllowedAddresses: []netip.Prefix{netip.MustParsePrefix(loopbackNet)},
		RootCAs:          w.ca(),
		Timeout:          20 * time.Second,
	}
}

func (w *wire) client(t *testing.T) *Client { return newTestClient(t, w.options()) }

func (w *wire) app() App {
	return App{Host: w.host(), ClientID: clientID, ClientSecret: credential.NewClientSecret(theSecret)}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newTestClient(t *testing.T, options Options) *Client {
	t.Helper()
	c, err := New(options)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// asError asserts that err is an *Error which holds no secret.
func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *Error", err)
	}
	for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
		for _, secret := range []string{spent, newAccess, newRefresh, theSecret} {
			if strings.Contains(text, secret) {
				t.Fatal("the error holds a secret")
			}
		}
	}
	if e.Error() == "" || strings.HasPrefix(e.Error(), ": ") {
		t.Errorf("no words for %s", e.Reason)
	}
	return e
}

func wantError(t *testing.T, err error, class Class, reason Reason, sent bool) *Error {
	t.Helper()
	e := asError(t, err)
	if e.Class != class || e.Reason != reason || e.Sent != sent {
		t.Errorf("got %s %s sent=%t, want %s %s sent=%t", e.Class, e.Reason, e.Sent, class, reason, sent)
	}
	return e
}

func TestExchangeIsOneFormPostThatAsksForJSON(t *testing.T) {
	var got *http.Request
	var form url.Values
	w := newWire(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(body))
		got = r
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, pairAsJSON)
	})
	start := time.Now()
	options := w.options()
	options.UserAgent = "operator/1.2.3"
	reply, err := newTestClient(t, options).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/login/oauth/access_token" || got.URL.RawQuery != "" || got.Proto != "HTTP/1.1" {
		t.Errorf("request was %s %s %s", got.Method, got.URL, got.Proto)
	}
	want := url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "client_secret": {theSecret}, "refresh_token": {spent}}
	if form.Encode() != want.Encode() {
		t.Errorf("the form has other fields than grant_type, client_id, client_secret and refresh_token: %d", len(form))
	}
	for name, value := range map[string]string{
		"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded", "User-Agent": "operator/1.2.3",
		"Authorization": "", "Idempotency-Key": "", "X-Idempotency-Key": "", "Accept-Encoding": "", "Expect": "",
	} {
		if got.Header.Get(name) != value {
			t.Errorf("header %s is %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if !got.Close {
		t.Error("the request leaves its connection open")
	}
	if reply.SentAt.Before(start) || reply.SentAt.After(time.Now()) || reply.Status != 200 || reply.Truncated || reply.Body.Reveal() != pairAsJSON {
		t.Errorf("unexpected reply: status %d truncated %t", reply.Status, reply.Truncated)
	}
	tokens, err := reply.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	if tokens.AccessToken.Reveal() != newAccess || tokens.RefreshToken.Reveal() != newRefresh || tokens.TokenType != "bearer" {
		t.Error("the tokens are not those of the reply")
	}
	if !tokens.ExpiresAt.Equal(reply.SentAt.Add(8*time.Hour)) || !tokens.RefreshTokenExpiresAt.Equal(reply.SentAt.Add(184*24*time.Hour)) {
		t.Error("expiry is not counted from the time of sending")
	}
}

func TestExchangeWithoutClientSecretSendsNone(t *testing.T) {
	var hasSecret bool
	w := newWire(t, func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil {
			hasSecret = r.PostForm.Has("client_secret")
		}
		_, _ = io.WriteString(rw, pairAsJSON)
	})
	if _, err := w.client(t).Exchange(t.Context(), App{Host: w.host(), ClientID: clientID}, credential.NewRefreshToken(spent)); err != nil {
		t.Fatal(err)
	}
	if hasSecret {
		t.Error("an empty client_secret was sent")
	}
}

func TestExchangeEachExchangeHasAConnectionOfItsOwn(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
	c := w.client(t)
	for range 3 {
		if _, err := c.Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent)); err != nil {
			t.Fatal(err)
		}
	}
	if w.connections.Load() != 3 || w.requests.Load() != 3 {
		t.Errorf("3 exchanges made %d connections and %d requests", w.connections.Load(), w.requests.Load())
	}
}

func TestExchangeNothingIsSentAgainWhenTheConnectionBreaks(t *testing.T) {
	breaks := map[string]func(net.Conn){
		"closed without a reply": func(conn net.Conn) { _ = conn.Close() },
		"reset without a reply": func(conn net.Conn) {
			_ = conn.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
			_ = conn.(*tls.Conn).NetConn().Close()
		},
		"closed in the status line": func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 2"); _ = conn.Close() },
		"closed in the headers": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n")
			_ = conn.Close()
		},
		"not HTTP, echoing a token": func(conn net.Conn) { _, _ = io.WriteString(conn, newAccess+"\r\n\r\n"); _ = conn.Close() },
		"endless headers": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for range 2000 {
				if _, err := io.WriteString(conn, "X-Padding: "+strings.Repeat("x", 100)+"\r\n"); err != nil {
					break
				}
			}
			_ = conn.Close()
		},
	}
	for name, breakIt := range breaks {
		t.Run(name, func(t *testing.T) {
			w := newWire(t, func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				breakIt(conn)
			})
			_, err := w.client(t).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
			wantError(t, err, Ambiguous, NoReply, true)
			if w.requests.Load() != 1 || w.connections.Load() != 1 {
				t.Errorf("%d requests on %d connections, want one", w.requests.Load(), w.connections.Load())
			}
		})
	}
}

func TestExchangeRedirectIsNotFollowedAndCondemnsNothing(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
		w := newWire(t, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, elsewhere.URL, status) })
		options := w.options()
		options.AllowedHosts = append(options.AllowedHosts, elsewhere.host())
		reply, err := newTestClient(t, options).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
		if err != nil {
			t.Fatal(err)
		}
		_, err = reply.Tokens()
		if e := wantError(t, err, Misconfigured, Redirected, true); e.Status != status {
			t.Errorf("status %d, want %d", e.Status, status)
		}
		if elsewhere.connections.Load() != 0 || w.requests.Load() != 1 {
			t.Errorf("%d was followed", status)
		}
	}
}

func TestExchangeReplyIsBounded(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, pairAsJSON[:len(pairAsJSON)-1]+`,"padding":"`)
		for range 10 << 10 {
			if _, err := io.WriteString(rw, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
		}
	})
	reply, err := w.client(t).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
	if err != nil {
		t.Fatal(err)
	}
	if !reply.Truncated || len(reply.Body.Reveal()) != maxReply {
		t.Errorf("truncated=%t with %d bytes", reply.Truncated, len(reply.Body.Reveal()))
	}
	tokens, err := reply.Tokens()
	if err != nil || tokens.RefreshToken.Reveal() != newRefresh {
		t.Errorf("a pair at the start of a huge reply is lost: %v", err)
	}
}

func TestExchangeCutReplyIsStillAReply(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "300")
		_, _ = io.WriteString(rw, pairAsJSON[:strings.Index(pairAsJSON, `,"refresh_token_expires_in"`)])
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	})
	reply, err := w.client(t).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
	if err != nil {
		t.Fatal(err)
	}
	if !reply.Truncated {
		t.Error("a cut reply passes for whole")
	}
	tokens, err := reply.Tokens()
	if err != nil || tokens.AccessToken.Reveal() != newAccess || tokens.RefreshToken.Reveal() != newRefresh {
		t.Errorf("both tokens came, but: %v", err)
	}
}

func TestExchangeDeadline(t *testing.T) {
	t.Run("passed before the start: not a byte is sent", func(t *testing.T) {
		w := newWire(t, func(http.ResponseWriter, *http.Request) {})
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		_, err := w.client(t).Exchange(ctx, w.app(), credential.NewRefreshToken(spent))
		wantError(t, err, Transient, Timeout, false)
		if w.requests.Load() != 0 {
			t.Error("a request arrived")
		}
	})
	t.Run("passed in the TLS handshake: not sent", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
		c := newTestClient(t, Options{AllowedHosts: []string{silent.Addr().String()}, AllowedAddresses: []netip.Prefix{netip.MustParsePrefix(loopbackNet)}})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err = c.Exchange(ctx, App{Host: silent.Addr().String(), ClientID: clientID}, credential.NewRefreshToken(spent))
		wantError(t, err, Transient, Timeout, false)
	})
	t.Run("passed while GitHub is silent: ambiguous", func(t *testing.T) {
		release := make(chan struct{})
		w := newWire(t, func(http.ResponseWriter, *http.Request) { <-release })
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := w.client(t).Exchange(ctx, w.app(), credential.NewRefreshToken(spent))
		wantError(t, err, Ambiguous, Timeout, true)
		if w.requests.Load() != 1 {
			t.Errorf("%d requests, want 1", w.requests.Load())
		}
	})
	t.Run("passed in the body: what came is the reply", func(t *testing.T) {
		release := make(chan struct{})
		w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, pairAsJSON[:40])
			_ = http.NewResponseController(rw).Flush()
			<-release
		})
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		reply, err := w.client(t).Exchange(ctx, w.app(), credential.NewRefreshToken(spent))
		if err != nil {
			t.Fatal(err)
		}
		_, err = reply.Tokens()
		if !reply.Truncated || reply.Body.Reveal() != pairAsJSON[:40] {
			t.Error("what came of the reply is not kept")
		}
		wantError(t, err, Ambiguous, ReplyCut, true)
	})
	t.Run("none given: the client's own counts", func(t *testing.T) {
		release := make(chan struct{})
		w := newWire(t, func(http.ResponseWriter, *http.Request) { <-release })
		defer close(release)
		options := w.options()
		options.Timeout = 200 * time.Millisecond
		_, err := newTestClient(t, options).Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
		wantError(t, err, Ambiguous, Timeout, true)
	})
}

func TestExchangeCancellingTheParentDoesNotStopAnExchange(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) {
		cancel()
		_, _ = io.WriteString(rw, pairAsJSON)
	})
	reply, err := w.client(t).Exchange(ctx, w.app(), credential.NewRefreshToken(spent))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reply.Tokens(); err != nil {
		t.Error(err)
	}
}

func TestExchangeProcessStoppedBeforeItsWriteSendsNothing(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, pairAsJSON) })
	c := w.client(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	deadline, _ := ctx.Deadline()
	g := &guard{deadline: deadline, now: time.Now}

	// The guard is armed as after a handshake, and the deadline passes before the write: that is what
	// the process sees when it is resumed.
	conn, err := c.dial(t.Context(), "tcp", w.host())
	if err != nil {
		t.Fatal(err)
	}
	guarded := &guardedConn{Conn: conn, guard: g}
	defer func() { _ = guarded.Close() }()
	session := tls.Client(guarded, &tls.Config{RootCAs: c.trust.config.RootCAs, ServerName: "127.0.0.1"})
	if err := session.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.arm()
	g.deadline = time.Now().Add(-time.Nanosecond)
	if _, err := session.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\n\r\n")); !errors.Is(err, errNotSent) {
		t.Errorf("a write after the deadline gave %v", err)
	}
	if sent, _ := g.seal(); sent {
		t.Error("the guard says that something was sent")
	}
	if w.requests.Load() != 0 {
		t.Error("a request arrived")
	}
}

func TestExchangeSealedGuardLetsNothingThrough(t *testing.T) {
	g := &guard{deadline: time.Now().Add(time.Hour), now: time.Now}
	if _, err := g.begin(); err != nil {
		t.Errorf("the handshake is refused: %v", err)
	}
	g.arm()
	if sent, _ := g.seal(); sent {
		t.Error("the handshake counts as sending")
	}
	if _, err := g.begin(); !errors.Is(err, errNotSent) {
		t.Errorf("a sealed guard let a request through: %v", err)
	}
}

func TestExchangeWriteThatTheKernelRefusedWasNotSent(t *testing.T) {
	g := &guard{deadline: time.Now().Add(time.Hour), now: time.Now}
	g.arm()
	first, err := g.begin()
	if err != nil || !first {
		t.Fatalf("begin: %t, %v", first, err)
	}
	g.end(first, 0)
	if sent, _ := g.seal(); sent {
		t.Error("no byte was accepted, but the guard says sent")
	}
}
