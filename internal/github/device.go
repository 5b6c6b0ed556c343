package github

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const (
	deviceCodePath  = "/login/device/code"
	deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"

	// GitHub's documented values, used where a reply has none that makes sense.
	documentedCodeLifetime = 15 * time.Minute
	documentedInterval     = 5 * time.Second

	maxCodeLifetime = time.Hour
	maxInterval     = time.Minute
)

// DeviceAuthorization is what a person needs to authorize the App, and what we need to hear of it.
type DeviceAuthorization struct {
	// DeviceCode is our half, for PollDevice.
	DeviceCode credential.DeviceCode
	// UserCode is what the person enters, for example WDJB-MJHT.
	UserCode string
	// VerificationURI is where: an https address on the App's own host.
	VerificationURI string
	// ExpiresAt is when both codes end, counted from the time at which they were asked for.
	ExpiresAt time.Time
	// Interval is the least time between two polls: what GitHub says, at most a minute; 5 s if it says nothing.
	Interval time.Duration
}

// userCodes is generous: GitHub sends eight letters or digits with a hyphen in the middle. The code is
// shown to people, so nothing else passes.
var userCodes = regexp.MustCompile(`^[A-Za-z0-9-]{4,32}$`)

// RequestDeviceCode begins a device authorization. The client secret plays no part in it.
func (c *Client) RequestDeviceCode(ctx context.Context, app App) (DeviceAuthorization, error) {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	wanted, instead := app.deviceScopes()
	authorization, err := c.requestDeviceCode(ctx, h, clientID, wanted)
	var refused *Error
	if wanted != instead && errors.As(err, &refused) && refused.Reason == InvalidScope {
		return c.requestDeviceCode(ctx, h, clientID, instead)
	}
	return authorization, err
}

func (c *Client) requestDeviceCode(ctx context.Context, h host, clientID, scope string) (DeviceAuthorization, error) {
	form := url.Values{"client_id": {clientID}}
	if scope != "" {
		form.Set("scope", scope)
	}
	reply, err := c.post(ctx, h, EndpointDeviceCode, deviceCodePath, form)
	if err != nil {
		return DeviceAuthorization{}, err
	}
	return reply.deviceAuthorization(h)
}

func (r *Reply) deviceAuthorization(h host) (DeviceAuthorization, error) {
	f, whole := parseFields(r.Body.Reveal(), r.Truncated)
	authorization := DeviceAuthorization{
		DeviceCode:      credential.NewDeviceCode(f.text("device_code")),
		UserCode:        f.text("user_code"),
		VerificationURI: f.text("verification_uri"),
		Interval:        documentedInterval,
	}
	if authorization.DeviceCode.IsZero() || !userCodes.MatchString(authorization.UserCode) {
		return DeviceAuthorization{}, r.failure(f, r.Truncated || !whole)
	}
	if !isPageOf(h, authorization.VerificationURI) {
		e := r.error(Redirected)
		e.Detail = "the page for entering the code is not an https address on this host"
		return DeviceAuthorization{}, e
	}
	lifetime := documentedCodeLifetime
	if said := f.seconds("expires_in"); said > 0 {
		lifetime = min(said, maxCodeLifetime)
	}
	authorization.ExpiresAt = r.SentAt.Add(lifetime)
	if said := f.seconds("interval"); said > 0 {
		authorization.Interval = min(said, maxInterval)
	}
	return authorization, nil
}

// isPageOf guards the person who is told to open the address and to enter a code there.
func isPageOf(h host, address string) bool {
	u, err := url.Parse(address)
	if err != nil || len(address) > 256 || u.Scheme != "https" || u.User != nil {
		return false
	}
	page, problem := parseHost(u.Host)
	return problem == "" && page == h
}

// PollDevice asks once whether the person has entered the code. Reply.Tokens then yields the pair, or
// AuthorizationPending, SlowDown, AccessDenied, ExpiredCode or IncorrectDeviceCode. GitHub gives the
// pair out once, so the reply needs the same care as that of Exchange, and the request is sent once.
func (c *Client) PollDevice(ctx context.Context, app App, code credential.DeviceCode) (*Reply, error) {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return nil, err
	}
	if code.IsZero() {
		return nil, newError(InvalidRequest, h.String(), "there is no device code")
	}
	return c.post(ctx, h, EndpointDevicePoll, tokenPath, app.limited(url.Values{
		"grant_type":  {deviceGrantType},
		"client_id":   {clientID},
		"device_code": {code.Reveal()},
	}))
}
