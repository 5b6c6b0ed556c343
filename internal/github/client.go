package github

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// Defaults of Options.
const (
	DefaultUserAgent = "github-user-token-operator"
	DefaultTimeout   = 30 * time.Second
)

// DefaultAllowedHosts are github.com and GitHub Enterprise Cloud with data residency.
var DefaultAllowedHosts = []string{"github.com", "*.ghe.com"}

// Options configure a Client. The zero value is good for github.com.
type Options struct {
	// AllowedHosts are the hosts that may be contacted: HOST or HOST:PORT; a leading "*." stands for
	// exactly one label. An entry without a port allows 443 only. Default DefaultAllowedHosts.
	AllowedHosts []string
	// AllowedAddresses are let through although they are special (loopback, link-local, multicast, 6to4 and so
	// on) or a cloud's metadata service, all of which are otherwise refused when dialling. Private networks
	// need no entry. With a proxy it is the proxy's address that is checked.
	AllowedAddresses []netip.Prefix
	// RootCAs are PEM certificates trusted in addition to the system's.
	RootCAs []byte
	// Authorities are the same where they may change while the client is in use; RootCAs are then not looked at.
	Authorities Authorities
	// UserAgent is sent with every request, as GitHub demands. Default DefaultUserAgent.
	UserAgent string
	// ProxyFromEnvironment makes HTTPS_PROXY and NO_PROXY count. Off by default.
	ProxyFromEnvironment bool
	// Proxy is asked for the proxy where ProxyFromEnvironment is off. May be nil: there is none.
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout bounds a call whose context has no deadline. Default DefaultTimeout.
	Timeout time.Duration
	// Now is the clock from which expiry is counted. Default time.Now. Deadlines are always measured on
	// the real, monotonic clock.
	Now func() time.Time
	// OnClock is told with each reply to an exchange or a step of the device flow how far the local clock is ahead of
	// the host's, or behind it when it is negative. May be nil.
	OnClock func(host string, ahead time.Duration)
	// OnCall is told of each request. May be nil.
	OnCall func(Call)
}

// Client talks to the allowed GitHub hosts. It is safe for concurrent use.
type Client struct {
	allowed   []pattern
	userAgent string
	timeout   time.Duration
	now       func() time.Time
	onClock   func(host string, ahead time.Duration)
	onCall    func(Call)
	trust     *trust
	proxy     func(*http.Request) (*url.URL, error)
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
}

// New checks the options and makes a client. It opens no connection.
func New(options Options) (*Client, error) {
	c := &Client{
		userAgent: options.UserAgent,
		timeout:   options.Timeout,
		now:       options.Now,
		onClock:   options.OnClock,
		onCall:    options.OnCall,
	}
	if c.userAgent == "" {
		c.userAgent = DefaultUserAgent
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.onClock == nil {
		c.onClock = func(string, time.Duration) {}
	}

	if c.onCall == nil {
		c.onCall = func(Call) {}
	}

	hosts := options.AllowedHosts
	if len(hosts) == 0 {
		hosts = DefaultAllowedHosts
	}
	for _, entry := range hosts {
		p, err := parsePattern(entry)
		if err != nil {
			return nil, err
		}
		c.allowed = append(c.allowed, p)
	}

	authorities := options.Authorities
	if authorities == nil {
		authorities = fixedAuthorities(options.RootCAs)
	}
	c.proxy = options.Proxy
	if options.ProxyFromEnvironment {
		c.proxy = http.ProxyFromEnvironment
	}
	c.dial = newDialer(options.AllowedAddresses).DialContext
	c.trust = &trust{authorities: authorities, newREST: c.newRESTTransport}
	if _, _, err := c.trust.now(); err != nil {
		return nil, err
	}
	return c, nil
}

// CheckHost says, before anything is sent, whether a host may be used. The error is an *Error of class
// Misconfigured.
func (c *Client) CheckHost(hostname string) error {
	_, err := c.checkHost(hostname)
	return err
}

// Endpoints are the base URLs of an allowed host: github.com, SUBDOMAIN.ghe.com, or an Enterprise
// Server as HOST[:PORT] or HOST[:PORT]/api/v3.
func (c *Client) Endpoints(hostname string) (Endpoints, error) {
	h, err := c.checkHost(hostname)
	if err != nil {
		return Endpoints{}, err
	}
	return h.endpoints(), nil
}

func (c *Client) checkHost(hostname string) (host, error) {
	h, problem := parseHost(hostname)
	if problem != "" {
		return host{}, newError(HostMalformed, "", problem)
	}
	for _, p := range c.allowed {
		if p.matches(h) {
			return h, nil
		}
	}
	return host{}, newError(HostNotAllowed, h.String(), "")
}

// App is one GitHub App or OAuth App at one host.
type App struct {
	// Host is github.com, HOST[:PORT] of an Enterprise Server, or SUBDOMAIN.ghe.com.
	Host string
	// ClientID is the App's client ID.
	ClientID string
	// ClientSecret may be zero: tokens that come from the device flow need none.
	ClientSecret credential.ClientSecret
	// Scope is what an OAuth App asks for by the device flow: scopes with blanks between them. See deviceScopes.
	Scope string
	// RepositoryID is the repository to which GitHub is to limit the token of a login; 0 for none. See limited.
	RepositoryID int64
}

// Key names the App: "host/clientID" with the host in its normal form, and no secret. Rate limits
// count per Key, and a token belongs to the App of the same Key.
func (a App) Key() string { return normaliseHost(a.Host) + "/" + strings.TrimSpace(a.ClientID) }

// clientIDs are letters and digits at GitHub ("Iv23li…", older ones "Iv1.…" or 20 hex digits). The ID
// becomes part of a path, so anything else is refused rather than escaped.
var clientIDs = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)

// checkApp returns the host and client ID to use.
func (c *Client) checkApp(app App) (host, string, error) {
	h, err := c.checkHost(app.Host)
	if err != nil {
		return host{}, "", err
	}
	id := strings.TrimSpace(app.ClientID)
	if !clientIDs.MatchString(id) {
		return host{}, "", newError(UnknownClient, h.String(), "a client ID consists of letters, digits, dots and hyphens")
	}
	return h, id, nil
}
