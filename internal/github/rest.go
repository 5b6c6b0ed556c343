package github

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v89/github"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// maxRESTReply bounds the reply to a REST call. A user is about 2 KiB.
const maxRESTReply = 1 << 20

// maxLogin is how long a login may be. GitHub's have 39 characters, those of managed users some more; it is stored
// in an annotation.
const maxLogin = 255

// User is a GitHub account.
type User struct {
	// Login may be changed by its owner.
	Login string
	// ID never changes.
	ID int64
}

// User asks whose token it is. Right after an exchange GitHub may refuse a good token for some seconds
// with 401; that is TokenInvalid, and no reason to drop it.
func (c *Client) User(ctx context.Context, hostname string, token credential.AccessToken) (User, error) {
	h, err := c.checkHost(hostname)
	if err != nil {
		return User{}, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	user, _, err := c.userOf(ctx, h, EndpointUser, token)
	return user, err
}

func (c *Client) userOf(ctx context.Context, h host, endpoint Endpoint, token credential.AccessToken) (User, Check, error) {
	api, err := c.api(h, endpoint, "Bearer "+token.Reveal())
	if err != nil {
		return User{}, Check{}, err
	}
	account, response, err := api.Users.Get(ctx, "")
	if err != nil {
		return User{}, Check{}, c.restError(h, response, err, TokenInvalid)
	}
	if account.GetLogin() == "" || len(account.GetLogin()) > maxLogin || account.GetID() <= 0 {
		return User{}, Check{}, c.restError(h, response, nil, TokenInvalid)
	}
	check := Check{Alive: true}
	if detail, ok := singleSignOn(h, response.Header); ok {
		check.HidesFrom = newError(SingleSignOn, h.String(), detail).Error()
	}
	return User{Login: account.GetLogin(), ID: account.GetID()}, check, nil
}

// Check is what GitHub says of a token that it was asked about.
type Check struct {
	// Alive says that the token works.
	Alive bool
	// HidesFrom tells of organizations that hide from the token until its owner has signed on to them, as far as the
	// answer says so: an error's text.
	HidesFrom string
}

// CheckToken asks whether a token is alive: with the App's endpoint if there is a client secret, and
// otherwise by using the token. It is dead only if GitHub's API says just that in its own words; a rate
// limit, an outage or what some proxy answers is an error and says nothing. GitHub may say it of a token that
// is only seconds old, so do not ask right after an exchange.
func (c *Client) CheckToken(ctx context.Context, app App, token credential.AccessToken) (Check, error) {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return Check{}, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if app.ClientSecret.IsZero() {
		_, check, err := c.userOf(ctx, h, EndpointCheckToken, token)
		var e *Error
		if errors.As(err, &e) && e.Reason == TokenInvalid {
			return Check{}, nil
		}
		return check, err
	}
	api, err := c.api(h, EndpointCheckToken, basic(clientID, app.ClientSecret))
	if err != nil {
		return Check{}, err
	}
	_, response, err := api.Authorizations.Check(ctx, clientID, token.Reveal())
	switch {
	case err == nil:
		return Check{Alive: true}, nil
	case saysNotFound(response):
		return Check{}, nil
	default:
		return Check{}, c.restError(h, response, err, IncorrectClientCredentials)
	}
}

// RevokeToken ends one access token through the App's endpoint, which needs the client secret. A token that
// the App does not know is TokenInvalid: it is dead already, or only seconds old, and what became of the
// refresh token beside it is not said.
func (c *Client) RevokeToken(ctx context.Context, app App, token credential.AccessToken) error {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return err
	}
	if app.ClientSecret.IsZero() {
		return newError(IncorrectClientCredentials, h.String(), "a token can be revoked through the App only with its client secret")
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	api, err := c.api(h, EndpointRevokeToken, basic(clientID, app.ClientSecret))
	if err != nil {
		return err
	}
	response, err := api.Authorizations.Revoke(ctx, clientID, token.Reveal())
	switch {
	case err == nil:
		return nil
	case saysNotFound(response):
		reply := readReply(response.Response, time.Time{}, c.now())
		return reply.error(TokenInvalid)
	default:
		return c.restError(h, response, err, IncorrectClientCredentials)
	}
}

// RevokeCredentials ends tokens without any authentication: whoever holds a token may end it. GitHub
// does so with a delay (202), mails the owner, and takes 60 such calls an hour from one address. Zero
// tokens are left out.
func (c *Client) RevokeCredentials(ctx context.Context, hostname string, access credential.AccessToken, refresh credential.RefreshToken) error {
	h, err := c.checkHost(hostname)
	if err != nil {
		return err
	}
	var credentials []string
	for _, token := range []string{access.Reveal(), refresh.Reveal()} {
		if token != "" {
			credentials = append(credentials, token)
		}
	}
	if len(credentials) == 0 {
		return nil
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	api, err := c.api(h, EndpointRevokeCredentials, "")
	if err != nil {
		return err
	}
	response, err := api.Credentials.Revoke(ctx, credentials)
	var accepted *gogithub.AcceptedError
	if err == nil || errors.As(err, &accepted) {
		return nil
	}
	return c.restError(h, response, err, TokenInvalid)
}

// bounded gives a REST call a deadline if it has none, and an end that frees its connection even if the
// reply was not read to its end. Unlike an exchange it may be cancelled.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

// newRESTTransport shares the checks of the exchange's transport, but keeps connections: a REST call may
// be repeated.
func (c *Client) newRESTTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:                  c.proxy,
		OnProxyConnectResponse: onProxyConnectResponse,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return c.dial(ctx, network, address)
		},
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
	}
}

// api is go-github for one host and one caller. Its own memory of rate limits is off: it would not
// outlive the call, and RetryAfter goes to the caller.
func (c *Client) api(h host, endpoint Endpoint, authorization string) (*gogithub.Client, error) {
	base := h.endpoints().API + "/"
	_, rest := c.trust.current()
	api, err := gogithub.NewClient(
		gogithub.WithHTTPClient(&http.Client{
			Transport:     &restTransport{base: rest, authorization: authorization, called: func(status int, began time.Time) { c.called(endpoint, status, began) }},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		gogithub.WithURLs(&base, nil),
		gogithub.WithUserAgent(c.userAgent),
		gogithub.WithDisableRateLimitCheck(),
	)
	if err != nil {
		return nil, newError(HostMalformed, h.String(), "")
	}
	return api, nil
}

// restTransport adds the caller's authorization and bounds the reply.
type restTransport struct {
	base          http.RoundTripper
	authorization string
	called        func(status int, began time.Time)
}

func (t *restTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.authorization != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", t.authorization)
	}
	began := time.Now()
	response, err := t.base.RoundTrip(request)
	if err != nil {
		t.called(0, began)
		return nil, err
	}
	t.called(response.StatusCode, began)
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxRESTReply), response.Body}
	return response, nil
}

func basic(clientID string, secret credential.ClientSecret) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+secret.Reveal()))
}

// said is what an error of GitHub's REST API says. Every one of them has a message and the address of its
// documentation; other servers answer with messages, too.
type said struct{ message, documentation string }

func readSaid(response *gogithub.Response) said {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return said{}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	f, _ := parseFields(string(body), false)
	return said{message: f.text("message"), documentation: f.text("documentation_url")}
}

// isBadCredentials reports whether a 401 is about a token that GitHub has looked at. There are others: a gateway's
// own, and GitHub's for a request whose token got lost on the way.
func (s said) isBadCredentials() bool { return strings.EqualFold(s.message, "Bad credentials") }

// saysNotFound is the API's answer for a token that is not alive. A gateway that has no such route sends a 404
// with a message as well, but none that points to GitHub's documentation.
func saysNotFound(response *gogithub.Response) bool {
	if response == nil || response.StatusCode != http.StatusNotFound {
		return false
	}
	s := readSaid(response)
	return strings.EqualFold(s.message, "Not Found") && s.documentation != ""
}

// restError classifies a failed REST call; unauthorized is what a 401 of GitHub's own means for this one.
func (c *Client) restError(h host, response *gogithub.Response, err error, unauthorized Reason) *Error {
	if response == nil || response.Response == nil {
		e := c.trust.explain(connectError(h, err))
		if isTimeout(err) || errors.Is(err, context.Canceled) {
			e = newError(Timeout, h.String(), "")
			e.Class = Transient
		}
		return e
	}
	s := readSaid(response)
	refused := s.isBadCredentials() || unauthorized == IncorrectClientCredentials && s.message != "" && s.documentation != ""
	reply := readReply(response.Response, time.Time{}, c.now())
	reason := UnreadableReply
	switch status := response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && (reply.RateLimited || reply.speaksOfRateLimit()):
		e := reply.error(RateLimited)
		e.KnowsCredential = isOfKnown(response.Header)
		return e
	case status == http.StatusForbidden:
		if detail, ok := singleSignOn(h, response.Header); ok {
			e := reply.error(SingleSignOn)
			e.Detail = detail
			return e
		}
		return reply.forbidden(s.message)
	case status == http.StatusUnauthorized && refused:
		reason = unauthorized
	case status == http.StatusNotFound:
		reason = NotSupported
	case status == http.StatusUnprocessableEntity:
		reason = InvalidRequest
	case status >= 500:
		reason = ServerError
	case status >= 300 && status < 400:
		reason = Redirected
	}
	return reply.error(reason)
}

// leastKnownQuota is less than the hourly quota of whoever GitHub knows, and more than the 60 of an address.
const leastKnownQuota = 1000

// isOfKnown reports whether an answer names the quota of a credential, and not that of the address: GitHub then knows the
// credential, whether the quota is used up or a secondary limit has been reached, which has headers of its own.
func isOfKnown(header http.Header) bool {
	quota, err := strconv.Atoi(strings.TrimSpace(header.Get("X-RateLimit-Limit")))
	return err == nil && quota >= leastKnownQuota
}
