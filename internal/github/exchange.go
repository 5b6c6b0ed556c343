package github

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const tokenPath = "/login/oauth/access_token"

// Exchange spends a refresh token: one POST, sent at most once. On success GitHub has killed the token
// and the access token that came with it, and the reply holds the only pair that is alive.
//
// The context's deadline counts, its cancellation does not: once begun, an exchange runs to its end.
// When the deadline has passed, not a byte is written any more.
//
// A nil error means that GitHub answered something; Reply.Tokens says what. Otherwise the error is an
// *Error, whose Sent says whether the token may have been spent.
func (c *Client) Exchange(ctx context.Context, app App, token credential.RefreshToken) (*Reply, error) {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return nil, err
	}
	if token.IsZero() {
		return nil, newError(InvalidRequest, h.String(), "there is no refresh token")
	}
	form := url.Values{
		"grant_type":    {"refresh_token"},
		"client_id":     {clientID},
		"refresh_token": {token.Reveal()},
	}
	if !app.ClientSecret.IsZero() {
		form.Set("client_secret", app.ClientSecret.Reveal())
	}
	return c.post(ctx, h, EndpointExchange, tokenPath, form)
}

// post sends one form on a connection of its own.
func (c *Client) post(ctx context.Context, h host, endpoint Endpoint, path string, form url.Values) (*Reply, error) {
	timeout := c.timeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	g := &guard{deadline: deadline, now: c.now}

	// A Reader that is not one of net/http's known types, so the request gets no GetBody and nobody
	// could send it again.
	body := form.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.endpoints().OAuth+path, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return nil, newError(HostMalformed, h.String(), "")
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.userAgent)
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { g.arm() },
	}))

	// RoundTrip and not Client.Do: no redirects, no cookies, no second try.
	began := time.Now()
	response, err := c.singleUseTransport(g).RoundTrip(request)
	sent, sentAt := g.seal()
	if err != nil {
		c.called(endpoint, 0, began)
		return nil, c.trust.explain(sendError(h, err, sent, !time.Now().Before(deadline)))
	}
	defer func() { _ = response.Body.Close() }()
	reply := readReply(response, sentAt, c.now())
	c.called(endpoint, reply.Status, began)
	if !reply.Date.IsZero() {
		c.onClock(reply.Host, reply.ahead(c.now()))
	}
	return reply, nil
}

// singleUseTransport makes a transport for one request: HTTP/1.1 only, since HTTP/2 re-sends requests
// by itself, and without connections to reuse, since a request on a dead one is sent again.
func (c *Client) singleUseTransport(g *guard) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	config, _ := c.trust.current()
	return &http.Transport{
		Proxy:                  c.proxy,
		OnProxyConnectResponse: onProxyConnectResponse,
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &guardedConn{Conn: conn, guard: g}, nil
		},
	}
}

// sendError classifies a request that got no reply. Go's text is not passed on: after sending it may
// quote what came over the wire.
func sendError(h host, err error, sent, late bool) *Error {
	if sent {
		e := newError(NoReply, h.String(), "")
		if late || isTimeout(err) {
			e = newError(Timeout, h.String(), "")
		}
		e.Sent = true
		return e
	}
	e := connectError(h, err)
	if late {
		e = newError(Timeout, h.String(), "the time was over before the request could be sent")
	}
	if e.Class == Ambiguous {
		e.Class = Transient
	}
	return e
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// connectError classifies a failure of name resolution, dialling or the TLS handshake, with the host or with the proxy
// in between.
func connectError(h host, err error) *Error {
	if refused, ok := errors.AsType[*proxyRefusal](err); ok {
		return newError(HostUnreachable, h.String(), refused.Error())
	}
	e := unconnected(h, err)
	if isOfProxy(err) {
		return e.atProxy()
	}
	return e
}

func unconnected(h host, err error) *Error {
	var (
		address     *addressError
		certificate *tls.CertificateVerificationError
		wrongName   x509.HostnameError
		wrongSigner x509.UnknownAuthorityError
		invalid     x509.CertificateInvalidError
		record      tls.RecordHeaderError
		lookup      *net.DNSError
	)
	switch {
	case errors.As(err, &address):
		return newError(AddressNotAllowed, h.String(), address.address.String())
	case errors.As(err, &wrongName):
		return newError(CertificateNotTrusted, h.String(), "it is for another name")
	case errors.As(err, &wrongSigner):
		return newError(CertificateNotTrusted, h.String(), "it is signed by an unknown authority")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return newError(CertificateNotTrusted, h.String(), "it has expired or is not yet valid")
	case errors.As(err, &certificate):
		return newError(CertificateNotTrusted, h.String(), "")
	case errors.As(err, &record):
		return newError(HostUnreachable, h.String(), "the server does not speak TLS on this port")
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return newError(HostUnreachable, h.String(), "no such host")
	case errors.As(err, &lookup):
		return newError(HostUnreachable, h.String(), "the name cannot be resolved at present")
	case errors.Is(err, syscall.ECONNREFUSED):
		return newError(HostUnreachable, h.String(), "connection refused")
	case isTimeout(err):
		return newError(HostUnreachable, h.String(), "no connection in time")
	default:
		return newError(HostUnreachable, h.String(), "")
	}
}
