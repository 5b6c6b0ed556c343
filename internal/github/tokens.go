package github

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const (
	// documentedLifetime is that of an access token of a GitHub App. It is used only if a refresh token
	// came without a usable expires_in: no expiry would mean that the pair is never refreshed.
	documentedLifetime = 8 * time.Hour
	// maxLifetime bounds a lifetime: what is longer is a mistake, and must not overflow.
	maxLifetime = 10 * 365 * 24 * time.Hour
)

// Tokens is what an exchange or a device authorization yields.
type Tokens struct {
	// AccessToken is never zero in a success.
	AccessToken credential.AccessToken
	// TokenType is "bearer" unless GitHub says otherwise.
	TokenType string
	// Scope is empty for GitHub Apps.
	Scope string
	// ExpiresAt is when the access token dies; zero means never (token expiry is switched off).
	ExpiresAt time.Time
	// Shortened is by how much ExpiresAt is earlier than by the local clock, which was ahead of GitHub's.
	Shortened time.Duration
	// RefreshToken is zero if token expiry is switched off. If it is zero and ExpiresAt is not, the
	// reply was odd, and a person must authorize the App again before ExpiresAt.
	RefreshToken credential.RefreshToken
	// RefreshTokenExpiresAt is zero if GitHub did not say.
	RefreshTokenExpiresAt time.Time
	// Half says that the reply was cut off before the refresh token.
	Half bool
}

// Tokens says what a reply means. It is a pure function of the reply.
//
// A complete access token is a success, whatever the status or the content type and whatever surrounds
// it: the tokens in this reply are the only ones left alive. That holds for a reply that was cut off
// after both tokens, too. If it was cut off between them, Tokens returns the access token, which is
// good until it expires, beside the error ReplyCut; with every other error the Tokens are zero.
func (r *Reply) Tokens() (Tokens, error) {
	f, whole := parseFields(r.Body.Reveal(), r.Truncated)
	cut := r.Truncated || !whole
	access, refresh := f.text("access_token"), f.text("refresh_token")
	switch {
	case access == "":
		return Tokens{}, r.failure(f, cut)
	case refresh == "" && cut:
		half := r.tokens(f)
		half.Half = true
		if half.ExpiresAt.IsZero() {
			half.ExpiresAt, half.Shortened = r.expiry(documentedLifetime)
		}
		return half, r.error(ReplyCut)
	default:
		return r.tokens(f), nil
	}
}

func (r *Reply) tokens(f fields) Tokens {
	t := Tokens{
		AccessToken:  credential.NewAccessToken(f.text("access_token")),
		RefreshToken: credential.NewRefreshToken(f.text("refresh_token")),
		TokenType:    f.text("token_type"),
		Scope:        f.text("scope"),
	}
	if t.TokenType == "" {
		t.TokenType = "bearer"
	}
	if lifetime := f.seconds("expires_in"); lifetime > 0 {
		t.ExpiresAt, t.Shortened = r.expiry(lifetime)
	} else if !t.RefreshToken.IsZero() {
		t.ExpiresAt, t.Shortened = r.expiry(documentedLifetime)
	}
	if lifetime := f.seconds("refresh_token_expires_in"); lifetime > 0 && !t.RefreshToken.IsZero() {
		t.RefreshTokenExpiresAt, _ = r.expiry(lifetime)
	}
	return t
}

// seconds reads a duration given as a number or as text. It is 0 if it is missing or makes no sense.
func (f fields) seconds(key string) time.Duration {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(f[key].value), 64)
	if err != nil || math.IsNaN(seconds) || seconds < 1 {
		return 0
	}
	return time.Duration(min(seconds, maxLifetime.Seconds())) * time.Second
}

// codes are GitHub's error codes, with RFC 6749's words for the same.
var codes = map[string]Reason{
	"bad_refresh_token":            RefreshTokenRejected,
	"invalid_grant":                RefreshTokenRejected,
	"bad_verification_code":        CodeRejected,
	"redirect_uri_mismatch":        RedirectMismatch,
	"incorrect_client_credentials": IncorrectClientCredentials,
	"invalid_client":               IncorrectClientCredentials,
	"unverified_user_email":        UnverifiedEmail,
	"access_denied":                AccessDenied,
	"application_suspended":        ApplicationSuspended,
	"unsupported_grant_type":       UnsupportedGrantType,
	"unauthorized_client":          UnauthorizedClient,
	"invalid_request":              InvalidRequest,
	"invalid_scope":                InvalidScope,
	"server_error":                 ServerError,
	"temporarily_unavailable":      ServerError,
	"device_flow_disabled":         DeviceFlowDisabled,
	"authorization_pending":        AuthorizationPending,
	"slow_down":                    SlowDown,
	"expired_token":                ExpiredCode,
	"token_expired":                ExpiredCode,
	"incorrect_device_code":        IncorrectDeviceCode,
	"not found":                    UnknownClient,
	"server error":                 ServerError,
}

// codeForm is how an error code looks. What looks otherwise ("Bad Gateway") is some server's own text.
var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{2,63}$`)

// failure classifies a reply without an access token: first by its error code, since GitHub sends
// errors with any status, then by the status.
func (r *Reply) failure(f fields, cut bool) *Error {
	code := f.text("error")
	if reason, known := codes[strings.ToLower(code)]; known {
		e := r.error(reason)
		if reason == SlowDown {
			e.RetryAfter = max(e.RetryAfter, min(f.seconds("interval"), time.Minute))
		}
		return e
	}
	switch {
	case r.Status == http.StatusTooManyRequests, r.Status == http.StatusForbidden && (r.RateLimited || r.speaksOfRateLimit()):
		return r.error(RateLimited)
	case r.Status == http.StatusForbidden:
		return r.forbidden(f.text("message"))
	case r.Status >= 500:
		return r.error(ServerError)
	case codeForm.MatchString(code):
		return r.error(UnknownError)
	case r.Status == http.StatusNotFound:
		return r.error(UnknownClient)
	case r.Status >= 300 && r.Status < 400:
		// GitHub's token endpoint answers with a body and never redirects, so this comes from something
		// in front of it (a login portal, a renamed host) that did not pass the request on. The token is
		// not condemned for it, and it is not ambiguous: no reply was lost.
		return r.error(Redirected)
	case cut:
		return r.error(ReplyCut)
	default:
		return r.error(UnreadableReply)
	}
}

// forbidden is a 403 that is no rate limit.
func (r *Reply) forbidden(message string) *Error {
	reason, detail := refusalOf(message)
	if reason == "" {
		reason = Forbidden
	}
	e := r.error(reason)
	e.Detail = detail
	return e
}

// speaksOfRateLimit looks for the words by which GitHub's REST side announces its secondary limits.
func (r *Reply) speaksOfRateLimit() bool {
	body := strings.ToLower(r.Body.Reveal())
	return strings.Contains(body, "rate limit") || strings.Contains(body, "abuse detection")
}

func (r *Reply) error(reason Reason) *Error {
	e := newError(reason, r.Host, "")
	e.Status, e.RetryAfter, e.Sent = r.Status, r.RetryAfter, true
	return e
}
