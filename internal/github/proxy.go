package github

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// proxyRefusal is a proxy's answer to CONNECT that is not 200: it has not connected us to the host, so nothing was sent
// there.
type proxyRefusal struct {
	status int
	// schemes are how it wants to be shown who we are, with 407.
	schemes []string
}

func (e *proxyRefusal) Error() string {
	said := fmt.Sprintf("the operator's proxy (HTTPS_PROXY) answered %d", e.status)
	if text := http.StatusText(e.status); text != "" {
		said += " " + text // Our words for it, since its own may say anything.
	}
	switch {
	case e.status == http.StatusProxyAuthRequired && len(e.schemes) > 0:
		return said + ": it wants to know who the operator is, by " + strings.Join(e.schemes, " or ") + "; put a user and password for Basic into HTTPS_PROXY"
	case e.status == http.StatusProxyAuthRequired:
		return said + ": it wants to know who the operator is; put a user and password into HTTPS_PROXY"
	case e.status >= 500:
		return said + ": it does not reach the host itself"
	default:
		return said + ": allow the host there, or name it in NO_PROXY if it can be reached without"
	}
}

// authenticationScheme is one word, as Basic or Negotiate; maxSchemes is how many are told.
var authenticationScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,31}$`)

const maxSchemes = 4

// onProxyConnectResponse is a Transport's: it tells a refusal from others, for which net/http has a text only.
func onProxyConnectResponse(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	refusal := &proxyRefusal{status: response.StatusCode}
	for _, challenge := range response.Header.Values("Proxy-Authenticate") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(challenge), " ")
		if authenticationScheme.MatchString(scheme) && len(refusal.schemes) < maxSchemes {
			refusal.schemes = append(refusal.schemes, scheme)
		}
	}
	return refusal
}

// isOfProxy reports whether a connection failed on the way to the proxy, before it was asked for the host.
func isOfProxy(err error) bool {
	for {
		failed, ok := errors.AsType[*net.OpError](err)
		if !ok || failed.Op == "proxyconnect" {
			return ok
		}
		err = failed.Err
	}
}

// atProxy says of a failure to connect that it was the proxy's, and not the host's.
func (e *Error) atProxy() *Error {
	const proxy = "the operator's proxy (HTTPS_PROXY)"
	switch {
	case e.Reason == HostUnreachable && e.Detail != "":
		e.Detail = proxy + " cannot be reached: " + e.Detail
	case e.Reason == HostUnreachable:
		e.Detail = proxy + " cannot be reached"
	case e.Detail != "":
		e.Detail = "it is that of " + proxy + ": " + e.Detail
	default:
		e.Detail = "it is that of " + proxy
	}
	return e
}
