package github

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// replaceable are authorities that a test replaces.
type replaceable struct {
	content []byte
	stale   error
}

func (r *replaceable) PEM() ([]byte, error) { return r.content, r.stale }

func TestAuthoritiesThatChangeCountForTheNextConnection(t *testing.T) {
	w := newWire(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v3/user" {
			_, _ = io.WriteString(rw, `{"login":"octocat","id":583231}`)
			return
		}
		_, _ = io.WriteString(rw, pairAsJSON)
	})
	next, nextCA := certificate(t, time.Now().Add(time.Hour), "next")
	var serves atomic.Pointer[tls.Certificate]
	serves.Store(&w.TLS.Certificates[0])
	w.TLS.Certificates = nil // So that the next is asked for also by those who name no host.
	w.TLS.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return serves.Load(), nil }
	first := w.ca()
	authorities := &replaceable{content: first}
	options := w.options()
	options.RootCAs, options.Authorities = nil, authorities
	c := newTestClient(t, options)
	try := func(what string, trusted bool, says string) {
		t.Helper()
		_, exchangeErr := c.Exchange(t.Context(), w.app(), credential.NewRefreshToken(spent))
		_, userErr := c.User(t.Context(), w.host(), credential.NewAccessToken(newAccess))
		for call, err := range map[string]error{"an exchange": exchangeErr, "a REST call": userErr} {
			if trusted {
				if err != nil {
					t.Errorf("%s, %s: %v", what, call, err)
				}
				continue
			}
			e := wantError(t, err, Misconfigured, CertificateNotTrusted, false)
			if !strings.Contains(e.Error(), "signed by an unknown authority"+says) {
				t.Errorf("%s, %s says %q", what, call, e.Error())
			}
		}
	}
	try("at first", true, "")
	w.CloseClientConnections()
	serves.Store(&next)
	try("a certificate by another authority", false, ")")
	authorities.stale = errors.New("there is no certificate in it")
	try("and the file is broken", false, "; the operator's CA file cannot be read anew (there is no certificate in it), so the one before it counts)")
	authorities.content, authorities.stale = slices.Concat(first, nextCA), nil
	try("both are trusted", true, "")
	authorities.content = first // The connection that REST calls keep was made while the authority was trusted.
	try("the new one is taken out again", false, ")")
	authorities.content = []byte("garbled")
	try("what nobody has checked is no reason to trust nobody", false, ")")
	authorities.content = nextCA
	try("the new one alone", true, "")
}
