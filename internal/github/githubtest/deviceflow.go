package githubtest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// slowDownPenalty is what a poll that comes too early adds to the interval.
const slowDownPenalty = 5 * time.Second

// device is one device flow.
type device struct {
	code     string
	userCode string
	app      *App
	scope    string
	expires  time.Time
	interval time.Duration
	lastPoll time.Time
	entered  bool // a person entered the user code
	decision decision
	user     *User // who approved
}

type decision int

const (
	undecided decision = iota
	approved
	denied
)

// answerDeviceCode is POST /login/device/code. It runs under the lock.
func (s *Server) answerDeviceCode(c *call) reply {
	app := s.apps[c.get("client_id")]
	if app == nil {
		return s.unknownClient()
	}
	if !app.DeviceFlow {
		refused := s.refusal(deviceFlowDisabled)
		refused.status = http.StatusBadRequest
		return refused
	}
	scope := scopeOf(app, c.get("scope"))
	if slices.ContainsFunc(app.InvalidScopes, func(unknown string) bool { return hasScope(scope, unknown) }) {
		return s.refusal(invalidScope)
	}
	d := &device{
		code:     s.randomString(hexadecimal, 40),
		userCode: s.randomString(consonants, 4) + "-" + s.randomString(consonants, 4),
		app:      app,
		scope:    scope,
		expires:  s.now().Add(app.DeviceCodeLifetime),
		interval: app.DeviceInterval,
	}
	s.devices[d.code] = d
	return reply{status: http.StatusOK, strings: app.NumbersAsStrings, fields: fields{
		"device_code":      d.code,
		"user_code":        d.userCode,
		"verification_uri": "https://" + c.r.Host + "/login/device",
		"expires_in":       int64(app.DeviceCodeLifetime / time.Second),
		"interval":         int64(d.interval / time.Second),
	}}
}

// scopeOf is the scope that a login gets: GitHub Apps know none.
func scopeOf(app *App, asked string) string {
	switch {
	case app.Kind != OAuthApp:
		return ""
	case asked != "":
		return strings.Join(strings.FieldsFunc(asked, func(r rune) bool { return r == ' ' || r == ',' }), ",")
	default:
		return app.Scope
	}
}

// hasScope reports whether a scope is one of those that a login got.
func hasScope(scopes, wanted string) bool { return slices.Contains(strings.Split(scopes, ","), wanted) }

// pollDevice is the token endpoint's part of the device flow. The interval is checked before anything else.
func (s *Server) pollDevice(c *call, app *App) reply {
	d := s.devices[c.get("device_code")]
	if d == nil || d.app != app {
		return s.refusal(incorrectDeviceCode)
	}
	now := s.now()
	early := !d.lastPoll.IsZero() && now.Sub(d.lastPoll) < d.interval
	d.lastPoll = now
	if early {
		d.interval += slowDownPenalty
		slower := s.refusal(slowDown)
		slower.strings = app.NumbersAsStrings
		slower.fields["interval"] = int64(d.interval / time.Second)
		return slower
	}
	switch {
	case d.decision == denied:
		return s.refusal(accessDenied)
	case !now.Before(d.expires):
		return s.refusal(expiredToken)
	case !app.DeviceFlow:
		return s.refusal(deviceFlowDisabled)
	case d.decision == undecided:
		return s.refusal(authorizationPending)
	case d.user.EmailUnverified:
		return s.refusal(unverifiedUserEmail)
	}
	if s.creationRefused(app, d.user, d.scope) {
		return s.refusal(oauthError(app.CreationError))
	}
	delete(s.devices, d.code)
	issued := s.issue(app, d.user, true, d.scope, nil)
	issued.restrictTo(c.get("repository_id"))
	return issued.reply()
}

// Why a user code cannot be decided on.
var (
	// ErrUnknownUserCode is the error for a user code that was never given out or is used up.
	ErrUnknownUserCode = errors.New("no device waits with this code")
	// ErrUserCodeExpired is the error for a user code that was entered too late.
	ErrUserCodeExpired = errors.New("this code has expired")
	// ErrTooManyUserCodes is the error for a user code beyond App.DeviceCodeEntries.
	ErrTooManyUserCodes = errors.New("too many codes were entered for this App within an hour")
)

// ApproveDevice does what the person does at /login/device who enters the user code and continues, as the account
// login, which is added if need be.
func (s *Server) ApproveDevice(userCode, login string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.enter(userCode)
	if err != nil {
		return err
	}
	d.decision, d.user = approved, s.ensureUser(login)
	return nil
}

// DenyDevice does what the person does who cancels at /login/device.
func (s *Server) DenyDevice(userCode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.enter(userCode)
	if err != nil {
		return err
	}
	d.decision = denied
	return nil
}

// enter is what happens when a person enters a user code. It counts against the limit of the App, once for each code. The
// caller holds the lock.
func (s *Server) enter(userCode string) (*device, error) {
	d, err := s.waitingDevice(userCode)
	if err != nil || d.entered {
		return d, err
	}
	if _, allowed := s.spend("device codes/"+d.app.ClientID, d.app.DeviceCodeEntries, time.Hour); !allowed {
		return nil, ErrTooManyUserCodes
	}
	d.entered = true
	return d, nil
}

// waitingDevice finds the device of a user code, with or without its hyphen, in upper or lower case.
func (s *Server) waitingDevice(userCode string) (*device, error) {
	wanted := bareCode(userCode)
	for _, d := range s.devices {
		if d.decision != undecided || bareCode(d.userCode) != wanted {
			continue
		}
		if !s.now().Before(d.expires) {
			return nil, ErrUserCodeExpired
		}
		return d, nil
	}
	return nil, ErrUnknownUserCode
}

func bareCode(userCode string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(userCode))
}

// PendingDevice is a device flow that waits for its person.
type PendingDevice struct {
	UserCode  string    `json:"userCode"`
	ClientID  string    `json:"clientID"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// PendingDevices lists the device flows that wait for their person, the first to expire first.
func (s *Server) PendingDevices() []PendingDevice {
	s.mu.Lock()
	defer s.mu.Unlock()
	var waiting []PendingDevice
	for _, d := range s.devices {
		if d.decision == undecided && s.now().Before(d.expires) {
			waiting = append(waiting, PendingDevice{UserCode: d.userCode, ClientID: d.app.ClientID, ExpiresAt: d.expires})
		}
	}
	slices.SortFunc(waiting, func(a, b PendingDevice) int {
		return a.ExpiresAt.Compare(b.ExpiresAt)*2 + strings.Compare(a.UserCode, b.UserCode)
	})
	return waiting
}
