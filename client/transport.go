package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/hostname"
)

// young is for how long GitHub may refuse a token that it has just given.
const young = 15 * time.Second

// refusedWait bounds how long a caller waits for the successor of a token that GitHub has refused. Where the authorization was revoked
// there is none, and the refusal is the answer.
const refusedWait = 8 * time.Second

// settling is how long it is waited for the successor of so young a token: three seconds are the longest that GitHub was seen to need.
const settling = 3 * time.Second

// mostDrained is how much of a refusal is read so that its connection can be used again.
const mostDrained = 64 << 10

// Transport adds the token to requests for the App's hosts over https, and leaves all others as they are: for another host, without TLS,
// with an Authorization of their own, or made by a redirect from another host.
//
// When GitHub answers 401, the source gets the token that followed, and the request is sent once more with it, if its body can be sent
// again: it has none, or has GetBody. Otherwise, and where there is no other token, the answer is the 401.
type Transport struct {
	// Source has the token. Required.
	Source *Source
	// Base sends the requests; http.DefaultTransport if nil.
	Base http.RoundTripper
	// Host is the App's host, such as github.com, if it is known: requests for other hosts need no token server then, and a token for
	// another one is refused. Empty: that of the token.
	Host string
	// More are further hosts that are to see the token, such as api.githubcopilot.com.
	More []string
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.Source == nil {
		closeBody(request)
		return nil, errNoSource
	}
	if !t.mayCarry(request) {
		return t.base().RoundTrip(request)
	}
	token, err := t.Source.Current(request.Context())
	if err == nil && t.Host != "" && !hostname.Equal(t.Host, token.Host) {
		err = fmt.Errorf("the token is for %s and not for %s", token.Host, t.Host)
	}
	if err != nil {
		closeBody(request)
		return nil, fmt.Errorf("no GitHub token for the request: %w", err)
	}
	if !isFor(request.URL, token.Host, t.More) {
		return t.base().RoundTrip(request)
	}
	response, err := t.base().RoundTrip(with(request, token))
	if err != nil || response.StatusCode != http.StatusUnauthorized || !canRepeat(request) {
		return response, err
	}
	return t.again(request, response, token)
}

// again sends a request once more after GitHub refused the token. The refusal is the answer where that cannot be done.
func (t *Transport) again(request *http.Request, refusal *http.Response, refused *Token) (*http.Response, error) {
	patience, isYoung := refusedWait, t.Source.isYoung(refused.Fingerprint)
	if isYoung {
		patience = settling
	}
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	token, err := t.Source.Refused(ctx, refused.Fingerprint)
	switch {
	case err == nil && token.Host == refused.Host:
	case isYoung && request.Context().Err() == nil && (IsTemporary(err) || errors.Is(err, context.DeadlineExceeded)):
		token = refused // There is no other, and GitHub may know this one by now.
	default:
		return refusal, nil //nolint:nilerr // GitHub's own words say more to the caller than why there is no other token.
	}
	repeated := with(request, token)
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return refusal, nil //nolint:nilerr // As above.
		}
		repeated.Body = body
	}
	_, _ = io.CopyN(io.Discard, refusal.Body, mostDrained)
	_ = refusal.Body.Close()
	return t.base().RoundTrip(repeated)
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// mayCarry reports what can be told of a request without a token: whether one may be added.
func (t *Transport) mayCarry(request *http.Request) bool {
	if request.URL == nil || request.URL.Scheme != "https" || request.Header.Get("Authorization") != "" {
		return false
	}
	if t.Host != "" && !isFor(request.URL, t.Host, t.More) {
		return false
	}
	// A redirect is no reason for a token on a host that nobody asked: its target was chosen by whoever answered.
	for earlier := request.Response; earlier != nil && earlier.Request != nil; earlier = earlier.Request.Response {
		if !hostname.Equal(earlier.Request.URL.Host, request.URL.Host) {
			return false
		}
	}
	return true
}

// with is the request with the token. A RoundTripper must not change its request.
func with(request *http.Request, token *Token) *http.Request {
	carrying := request.Clone(request.Context())
	if carrying.Header == nil {
		carrying.Header = http.Header{}
	}
	carrying.Header.Set("Authorization", "Bearer "+token.AccessToken.Reveal())
	return carrying
}

func canRepeat(request *http.Request) bool {
	return request.Body == nil || request.Body == http.NoBody || request.GetBody != nil
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

var errNoSource = errors.New("client: the Transport has no Source")
