package chaos

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
)

// apiProxy stands between one replica and the API server. Like the API server it speaks TLS and HTTP/2.
type apiProxy struct {
	host     string
	upstream *http.Transport
	target   string

	mu      sync.Mutex
	faults  []*apiFault
	watches map[*apiCall]context.CancelFunc
}

// apiCall is one request to the API server.
type apiCall struct {
	method, path, query string
	header              http.Header
	body                []byte
}

func (c *apiCall) watch() bool { return strings.Contains(c.query, "watch=true") }

// apiFault is one way in which the API server, or the way to it, fails.
type apiFault struct {
	// kind names it in the figures; empty for one that only looks on.
	kind string
	// on says which requests it hits.
	on func(*apiCall) bool
	// times is how many requests it hits: 0 means one, negative means all until it is removed.
	times int
	// holdRequest keeps the request from the API server until release; holdReply lets it be applied and keeps the
	// reply.
	holdRequest, holdReply bool
	// lose lets it be applied and breaks the connection instead of replying; refuse breaks it at once.
	lose, refuse bool
	// twice applies the request twice and replies with the second reply.
	twice bool
	// deny replies with this status instead of asking the API server.
	deny *metav1.Status
	// onEvent is asked about each event of a watch that it hits: false drops the event.
	onEvent func(frame []byte) bool
	// seen is told the status of each reply.
	seen func(status int)

	arrived  chan struct{}
	released chan struct{}
	dropped  chan struct{}
	once     sync.Once
	hits     int
}

// newAPIProxy starts a proxy for one replica.
func newAPIProxy(t *testing.T, plane *controlplane.ControlPlane, config *rest.Config) *apiProxy {
	t.Helper()
	certificate, key, err := plane.IssueServingCertificate("kubernetes-proxy", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	p := &apiProxy{
		target:   config.Host,
		upstream: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true},
		watches:  map[*apiCall]context.CancelFunc{},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.host = "https://" + listener.Addr().String()
	server := &http.Server{
		Handler: p, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), // killed clients are part of the play
	}
	go func() { _ = server.ServeTLS(listener, "", "") }() // always ErrServerClosed
	t.Cleanup(func() {
		p.clear()
		_ = server.Close()
		p.upstream.CloseIdleConnections()
	})
	return p
}

// inject adds a fault.
func (p *apiProxy) inject(f *apiFault) *apiFault {
	f.arrived, f.released, f.dropped = make(chan struct{}), make(chan struct{}), make(chan struct{})
	if f.times == 0 {
		f.times = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	return f
}

// release lets go of what the fault holds.
func (f *apiFault) release() { f.once.Do(func() { close(f.released) }) }

// remove ends a fault and releases what it holds.
func (p *apiProxy) remove(f *apiFault) {
	p.mu.Lock()
	f.times = 0
	p.mu.Unlock()
	f.release()
}

// clear removes all faults, and drops what they hold: it is called when the client has been killed, and a request
// that was held must not get through because the proxy has not noticed that yet.
func (p *apiProxy) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		f.times = 0
		f.once.Do(func() { close(f.dropped) })
	}
	p.faults = nil
}

// hitsOf is how many requests a fault has hit.
func (p *apiProxy) hitsOf(f *apiFault) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f.hits
}

// cutWatches ends all watches that are under way.
func (p *apiProxy) cutWatches() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cancel := range p.watches {
		cancel()
	}
}

func (p *apiProxy) take(c *apiCall) *apiFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		if f.times == 0 || !f.on(c) {
			continue
		}
		if f.times > 0 {
			f.times--
		}
		f.hits++
		if f.hits == 1 {
			close(f.arrived)
		}
		if f.kind != "" {
			totals.fault("API server: " + f.kind)
		}
		return f
	}
	return nil
}

// ServeHTTP passes a request on, unless a fault says otherwise.
func (p *apiProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	c := &apiCall{method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, header: r.Header, body: body}
	f := p.take(c)
	if f == nil {
		f = &apiFault{}
	}
	if f.holdRequest && !f.wait(r.Context()) || f.refuse {
		panic(http.ErrAbortHandler)
	}
	if f.deny != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(f.deny.Code))
		_ = json.NewEncoder(w).Encode(f.deny)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if f.holdReply || f.lose || f.twice {
		ctx = context.WithoutCancel(ctx) // It is applied whether or not the client waits.
	}
	if c.watch() {
		p.mu.Lock()
		p.watches[c] = cancel
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			delete(p.watches, c)
			p.mu.Unlock()
		}()
	}
	response, err := p.forward(ctx, c)
	if f.twice && err == nil {
		response.Body.Close()
		response, err = p.forward(ctx, c)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer response.Body.Close()
	if f.seen != nil {
		f.seen(response.StatusCode)
	}
	if f.lose || f.holdReply && !f.wait(r.Context()) {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
	if c.watch() && response.StatusCode == http.StatusOK {
		p.stream(ctx, w, response, c)
		return
	}
	_, _ = io.Copy(w, response.Body) // a client that is gone is part of the play
}

// wait waits for the release; false when the client has gone before, or what is held is dropped.
func (f *apiFault) wait(ctx context.Context) bool {
	select {
	case <-f.released:
		return true
	case <-f.dropped:
		return false
	case <-ctx.Done():
		return false
	}
}

func (p *apiProxy) forward(ctx context.Context, c *apiCall) (*http.Response, error) {
	url := p.target + c.path
	if c.query != "" {
		url += "?" + c.query
	}
	request, err := http.NewRequestWithContext(ctx, c.method, url, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	request.Header = c.header.Clone()
	request.Header.Del("Connection")
	request.Header.Del("Accept-Encoding")
	return p.upstream.RoundTrip(request)
}

// stream passes the events of a watch on one by one. Faults with onEvent that match the watch may hold or drop
// them, also those that were injected after the watch began.
func (p *apiProxy) stream(ctx context.Context, w http.ResponseWriter, response *http.Response, c *apiCall) {
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	events := bufio.NewReader(response.Body)
	binaryFrames := strings.Contains(response.Header.Get("Content-Type"), "protobuf")
	for {
		frame, err := readFrame(events, binaryFrames)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				panic(http.ErrAbortHandler)
			}
			return
		}
		if p.pass(ctx, c, frame) {
			if _, err := w.Write(frame); err != nil {
				return
			}
			_ = flush.Flush()
		}
	}
}

// pass reports whether an event goes through, when it is time.
func (p *apiProxy) pass(ctx context.Context, c *apiCall, frame []byte) bool {
	p.mu.Lock()
	var matching []*apiFault
	for _, f := range p.faults {
		if f.times != 0 && f.onEvent != nil && f.on(&apiCall{method: "EVENT", path: c.path, query: c.query}) {
			matching = append(matching, f)
		}
	}
	p.mu.Unlock()
	for _, f := range matching {
		if !f.onEvent(frame) {
			p.hit(f)
			return false
		}
		if f.holdReply {
			p.hit(f)
			f.wait(ctx)
		}
	}
	return true
}

func (p *apiProxy) hit(f *apiFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.hits++
	if f.hits == 1 {
		close(f.arrived)
	}
	totals.fault("API server: " + f.kind)
}

func readFrame(r *bufio.Reader, binaryFrames bool) ([]byte, error) {
	if !binaryFrames {
		return r.ReadBytes('\n')
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(head))
	copy(frame, head)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// all hits every request.
func all(*apiCall) bool { return true }

// secretsWatch hits the events of the watches on Secrets, resourcesWatch those on GitHubUserTokens.
func secretsWatch(c *apiCall) bool {
	return c.method == "EVENT" && strings.HasSuffix(c.path, "/secrets")
}

func resourcesWatch(c *apiCall) bool {
	return c.method == "EVENT" && strings.HasSuffix(c.path, "/githubusertokens")
}

// leases hits what leader election asks.
func leases(c *apiCall) bool { return strings.Contains(c.path, "/leases") }

// denied is the API server's refusal for a reason such as Forbidden.
func denied(code int32, reason metav1.StatusReason, message string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
	}
}

// holdRequest keeps a request from the API server.
func holdRequest(on func(*apiCall) bool) *apiFault {
	return &apiFault{kind: "request held", on: on, holdRequest: true}
}

// holdReply keeps the reply to a request that was applied.
func holdReply(on func(*apiCall) bool) *apiFault {
	return &apiFault{kind: "reply held", on: on, holdReply: true}
}

// loseReply breaks the connection when the request was applied.
func loseReply(on func(*apiCall) bool) *apiFault {
	return &apiFault{kind: "applied, reply lost", on: on, lose: true}
}
