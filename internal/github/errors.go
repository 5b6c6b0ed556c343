package github

import (
	"fmt"
	"strings"
	"time"
)

// Class says what a failure means for the refresh token that was presented.
type Class int

// The classes of failure.
const (
	// Transient: GitHub did not exchange the token. The same request may succeed later.
	Transient Class = iota + 1
	// Misconfigured: GitHub did not exchange the token, and will not before a person changes something.
	Misconfigured
	// Ambiguous: the request was sent and no answer says whether the token was exchanged.
	Ambiguous
	// Rejected: GitHub answered that the token (or device code) is no longer good.
	Rejected
)

// String is the name of the class.
func (c Class) String() string {
	switch c {
	case Transient:
		return "Transient"
	case Misconfigured:
		return "Misconfigured"
	case Ambiguous:
		return "Ambiguous"
	case Rejected:
		return "Rejected"
	default:
		return fmt.Sprintf("Class(%d)", int(c))
	}
}

// Reason is one of the closed list below, in the form of a condition's reason. Which of GitHub's codes means which stands
// in tokens.go.
type Reason string

// The reasons.
const (
	// RefreshTokenRejected: bad_refresh_token or invalid_grant.
	RefreshTokenRejected Reason = "RefreshTokenRejected"
	// ExpiredCode: expired_token, the device code ran out before a person entered the user code.
	ExpiredCode Reason = "ExpiredCode"
	// IncorrectDeviceCode: incorrect_device_code.
	IncorrectDeviceCode Reason = "IncorrectDeviceCode"

	// CodeRejected: bad_verification_code, the code of the web flow was redeemed before, has expired, or is not of this verifier.
	CodeRejected Reason = "CodeRejected"

	// IncorrectClientCredentials: incorrect_client_credentials or invalid_client, or GitHub's own 401 from an App endpoint.
	IncorrectClientCredentials Reason = "IncorrectClientCredentials"
	// RedirectMismatch: redirect_uri_mismatch, the redirect URI is not the one that the code was given out for.
	RedirectMismatch Reason = "RedirectMismatch"
	// UnknownClient: 404, seen for a client ID that the host does not know.
	UnknownClient Reason = "UnknownClient"
	// UnverifiedEmail: unverified_user_email, or 403 with words that say so.
	UnverifiedEmail Reason = "UnverifiedEmail"
	// AccessDenied: access_denied; in the device flow, the person pressed Cancel.
	AccessDenied Reason = "AccessDenied"
	// ApplicationSuspended: application_suspended.
	ApplicationSuspended Reason = "ApplicationSuspended"
	// UnsupportedGrantType: unsupported_grant_type.
	UnsupportedGrantType Reason = "UnsupportedGrantType"
	// UnauthorizedClient: unauthorized_client.
	UnauthorizedClient Reason = "UnauthorizedClient"
	// InvalidRequest: invalid_request, or a request refused here because a part of it is missing.
	InvalidRequest Reason = "InvalidRequest"
	// InvalidScope: invalid_scope, RFC 6749's word for a scope that the host does not know.
	InvalidScope Reason = "InvalidScope"
	// AccountSuspended: 403, with words that say so.
	AccountSuspended Reason = "AccountSuspended"
	// BillingIssue: 403, with words that say so.
	BillingIssue Reason = "BillingIssue"
	// DeviceFlowDisabled: device_flow_disabled.
	DeviceFlowDisabled Reason = "DeviceFlowDisabled"
	// NotSupported: the host has no such REST endpoint.
	NotSupported Reason = "NotSupported"
	// HostMalformed: the host is not HOST or HOST:PORT.
	HostMalformed Reason = "HostMalformed"
	// HostNotAllowed: the host is not on the operator's list.
	HostNotAllowed Reason = "HostNotAllowed"
	// AddressNotAllowed: the host's name resolves to an address that must not be dialled.
	AddressNotAllowed Reason = "AddressNotAllowed"
	// CertificateNotTrusted: the host's certificate does not verify.
	CertificateNotTrusted Reason = "CertificateNotTrusted"
	// Redirected: a 3xx. Redirects are never followed, since a 307 or 308 would carry the token elsewhere.
	Redirected Reason = "Redirected"

	// RateLimited: 429, or 403 with any sign of a rate limit.
	RateLimited Reason = "RateLimited"
	// SingleSignOn: 403 of an organization that enforces SAML, to a token without an active session there. Other things
	// the token may do.
	SingleSignOn Reason = "SingleSignOn"
	// AddressNotPermitted: 403 of an organization whose IP allow list does not have our address. From elsewhere the
	// token may work.
	AddressNotPermitted Reason = "AddressNotPermitted"
	// LoginAttemptsExceeded: 403 for whatever is sent, after bad credentials. It passes by itself.
	LoginAttemptsExceeded Reason = "LoginAttemptsExceeded"
	// Forbidden: 403 without a sign of a rate limit, or of anything else that is known.
	Forbidden Reason = "Forbidden"
	// HostUnreachable: no connection, for a cause found before anything was sent.
	HostUnreachable Reason = "HostUnreachable"
	// AuthorizationPending: authorization_pending, the person has not entered the user code yet.
	AuthorizationPending Reason = "AuthorizationPending"
	// SlowDown: slow_down. RetryAfter is the new interval between polls, or zero if the reply had none: add 5 s.
	SlowDown Reason = "SlowDown"
	// UnknownError: an error code that this version does not know, without a token.
	UnknownError Reason = "UnknownError"
	// TokenInvalid: a REST call was refused with 401, "Bad credentials", or the App knows no such token. Right
	// after an exchange this passes by itself.
	TokenInvalid Reason = "TokenInvalid"

	// ScopeNotGranted: 422 for a scoped token: the account, or the App's installation there, has not got what was asked for.
	ScopeNotGranted Reason = "ScopeNotGranted"

	// Timeout: the deadline passed. Transient if nothing had been sent, otherwise Ambiguous.
	Timeout Reason = "Timeout"
	// NoReply: the connection broke after the request was sent, or what came was not HTTP.
	NoReply Reason = "NoReply"
	// ReplyCut: the reply ended, or grew too big, before a complete pair had come.
	ReplyCut Reason = "ReplyCut"
	// UnreadableReply: HTML, an empty body, or anything else that holds neither a token nor an error code.
	UnreadableReply Reason = "UnreadableReply"
	// ServerError: 5xx. GitHub may have exchanged the token before it failed.
	ServerError Reason = "ServerError"
)

// meaning is what is always true of a reason: its class, and the sentence for a person.
type meaning struct {
	class Class
	words string
}

var meanings = map[Reason]meaning{
	RefreshTokenRejected: {Rejected, "GitHub refused the refresh token: it was used before, has expired, or the authorization was revoked; authorize the App again to get a new one"},
	ExpiredCode:          {Rejected, "the device code expired before the user code was entered; ask for a new code"},
	IncorrectDeviceCode:  {Rejected, "GitHub does not know the device code; ask for a new code"},
	CodeRejected:         {Rejected, "GitHub refused the code of the login: it was used before, has expired, or was not asked for by this login; begin the login anew"},

	RedirectMismatch:           {Misconfigured, "the callback URL is not one of the App's: add it in the App's settings, exactly as it is used, and begin the login anew"},
	IncorrectClientCredentials: {Misconfigured, "GitHub refused the client credentials: correct the client ID or the client secret (a token that does not come from the device flow needs a client secret)"},
	UnknownClient:              {Misconfigured, "GitHub does not know this client ID: check the client ID and the host of the App"},
	UnverifiedEmail:            {Misconfigured, "the GitHub account has no verified primary email address: its owner must verify one"},
	AccessDenied:               {Misconfigured, "access was denied: the person declined, or an organization's policy forbids it; authorize the App again or ask an owner to allow it"},
	ApplicationSuspended:       {Misconfigured, "GitHub has suspended the App: its owner must contact GitHub"},
	UnsupportedGrantType:       {Misconfigured, "GitHub does not offer this grant to the App: check that the App uses expiring user tokens and that the host is recent enough"},
	UnauthorizedClient:         {Misconfigured, "the App may not use this grant: check the App's settings"},
	InvalidRequest:             {Misconfigured, "the request lacks something GitHub needs: check the client ID, the client secret and the refresh token"},
	InvalidScope:               {Misconfigured, "GitHub does not know one of the scopes that were asked for: correct the scopes in the spec"},
	AccountSuspended:           {Misconfigured, "GitHub has suspended the account: have it reinstated by GitHub Support, or by an administrator of the Enterprise Server or enterprise"},
	BillingIssue:               {Misconfigured, "GitHub lets the account do nothing because of its billing: its owner must settle that"},
	DeviceFlowDisabled:         {Misconfigured, "the App has no device flow: enable it in the App's settings"},
	NotSupported:               {Misconfigured, "this GitHub host does not offer the call"},
	HostMalformed:              {Misconfigured, "the host must be HOST or HOST:PORT, without scheme and path"},
	HostNotAllowed:             {Misconfigured, "the host is not allowed: use an allowed host, or have the operator's allowed hosts extended"},
	AddressNotAllowed:          {Misconfigured, "the host resolves to an address that must not be contacted: correct its name, or have the operator's allowed addresses extended"},
	CertificateNotTrusted:      {Misconfigured, "the host's TLS certificate is not trusted: correct the certificate, or give the operator the CA that signed it"},
	ScopeNotGranted:            {Misconfigured, "GitHub does not grant the scope: the App must be installed on the account and reach the repositories, and the App and the account must both have the permissions"},
	Redirected:                 {Misconfigured, "the host answered with a redirect, which is never followed: use the name of the GitHub host itself"},

	RateLimited:           {Transient, "GitHub's rate limit is used up; it is tried again later"},
	Forbidden:             {Transient, "the request was forbidden; it is tried again later: if this stays, check IP allow lists and proxies in front of the host"},
	SingleSignOn:          {Transient, "an organization that enforces SAML single sign-on hides from the token: the account's owner must sign on to it and then authorize the App again"},
	AddressNotPermitted:   {Transient, "an organization's IP allow list does not permit the operator's address: have it added, or use an App whose addresses the list inherits"},
	LoginAttemptsExceeded: {Transient, "GitHub answers nothing for a while, because bad credentials were sent too often; it is tried again later"},
	HostUnreachable:       {Transient, "the host cannot be reached; it is tried again later: if this stays, check the name, the network and the firewall"},
	AuthorizationPending:  {Transient, "the user code has not been entered yet"},
	SlowDown:              {Transient, "GitHub asks to poll more slowly"},
	UnknownError:          {Transient, "GitHub refused the request with an error code unknown to this version; it is tried again later"},
	TokenInvalid:          {Transient, "GitHub did not accept the access token: it was revoked, has expired, or is only seconds old"},

	Timeout:         {Ambiguous, "GitHub did not answer in time"},
	NoReply:         {Ambiguous, "the connection broke before GitHub's answer came"},
	ReplyCut:        {Ambiguous, "GitHub's answer was cut off or far too long"},
	UnreadableReply: {Ambiguous, "the answer holds neither a token nor an error code: check that the host is a GitHub host and that no proxy answers in its place"},
	ServerError:     {Ambiguous, "GitHub failed while it handled the request"},
}

// Words is the sentence for a reason, without a capital and a full stop; empty for what is none of the list.
func Words(reason Reason) string { return meanings[reason].words }

// Error is every error of this package. It holds our own words only: neither a reply nor a secret.
type Error struct {
	// Class says what the failure means for the refresh token.
	Class Class
	// Reason is the cause, from the closed list.
	Reason Reason
	// Host is the host that was addressed, normalised where it could be.
	Host string
	// Status is the HTTP status of the reply, 0 if there was none.
	Status int
	// RetryAfter is how long GitHub asks to wait, 0 if it does not say. At RateLimited it holds for the
	// whole App, at SlowDown it is the new polling interval.
	RetryAfter time.Duration
	// KnowsCredential reports, at RateLimited, that GitHub knows the credential that was sent. The limit is that of whoever
	// holds it then, and not that of the address.
	KnowsCredential bool
	// Sent reports whether any byte of the request may have reached the host. REST calls, which may be
	// repeated, leave it false where no reply came, but for ScopeToken.
	Sent bool
	// Detail narrows the cause down, in our own words; it may be empty.
	Detail string
}

// Error says what is wrong and what to do about it.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Host != "" {
		b.WriteString(e.Host + ": ")
	}
	b.WriteString(meanings[e.Reason].words)
	if e.Detail != "" {
		b.WriteString(" (" + e.Detail + ")")
	}
	return b.String()
}

func newError(reason Reason, host, detail string) *Error {
	return &Error{Class: meanings[reason].class, Reason: reason, Host: host, Detail: detail}
}
