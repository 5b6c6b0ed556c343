package github

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// Authorities are certificates that are trusted in addition to the system's, and that may change.
type Authorities interface {
	// PEM is the certificates as they are now; none is allowed. stale is why they could not be read anew, so that those
	// of before count; nil when they could. It may be said to anybody.
	PEM() (content []byte, stale error)
}

// fixedAuthorities never change.
type fixedAuthorities []byte

// PEM implements Authorities.
func (a fixedAuthorities) PEM() ([]byte, error) { return a, nil }

// trust is whom the client trusts, and what it makes of that. It is asked for each connection.
type trust struct {
	authorities Authorities
	newREST     func(*tls.Config) *http.Transport

	mu      sync.Mutex
	content []byte
	config  *tls.Config
	rest    *http.Transport
}

// now is the configuration for a new connection, and the transport of REST calls, which keeps connections. One that was
// made before the authorities have changed serves no further call.
func (t *trust) now() (*tls.Config, *http.Transport, error) {
	content, _ := t.authorities.PEM()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.config != nil && bytes.Equal(t.content, content) {
		return t.config.Clone(), t.rest, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(content) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, nil, fmt.Errorf("read the system's root certificates: %w", err)
		}
		if !pool.AppendCertsFromPEM(content) {
			return nil, nil, errors.New("the CA file holds no PEM certificate")
		}
		config.RootCAs = pool
	}
	if t.rest != nil {
		t.rest.CloseIdleConnections()
	}
	t.content, t.config, t.rest = content, config, t.newREST(config.Clone())
	return t.config.Clone(), t.rest, nil
}

// current is now for a client that was made, and so has had good authorities once: it goes on with those.
func (t *trust) current() (*tls.Config, *http.Transport) {
	config, rest, err := t.now()
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.config.Clone(), t.rest
	}
	return config, rest
}

// explain adds to an untrusted certificate that those whom the client trusts could not be read anew.
func (t *trust) explain(e *Error) *Error {
	if e.Reason != CertificateNotTrusted {
		return e
	}
	if _, stale := t.authorities.PEM(); stale != nil {
		note := "the operator's CA file cannot be read anew (" + stale.Error() + "), so the one before it counts"
		if e.Detail != "" {
			note = e.Detail + "; " + note
		}
		e.Detail = note
	}
	return e
}
