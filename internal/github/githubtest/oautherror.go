package githubtest

import "net/http"

// An oauthError is a refusal of the OAuth endpoints.
type oauthError string

const (
	badRefreshToken            oauthError = "bad_refresh_token"
	invalidRequest             oauthError = "invalid_request"
	invalidScope               oauthError = "invalid_scope"
	badVerificationCode        oauthError = "bad_verification_code"
	incorrectClientCredentials oauthError = "incorrect_client_credentials"
	redirectURIMismatch        oauthError = "redirect_uri_mismatch"
	unsupportedGrantType       oauthError = "unsupported_grant_type"
	unverifiedUserEmail        oauthError = "unverified_user_email"
	applicationSuspended       oauthError = "application_suspended"
	accessDenied               oauthError = "access_denied"
	authorizationPending       oauthError = "authorization_pending"
	slowDown                   oauthError = "slow_down"
	expiredToken               oauthError = "expired_token"
	incorrectDeviceCode        oauthError = "incorrect_device_code"
	deviceFlowDisabled         oauthError = "device_flow_disabled"
)

var oauthErrorText = map[oauthError]string{
	invalidRequest:             "The only code_challenge_method is S256.",
	invalidScope:               "The scopes requested are invalid.",
	badRefreshToken:            "The refresh token passed is incorrect or expired.",
	badVerificationCode:        "The code passed is incorrect or expired.",
	incorrectClientCredentials: "The client_id and/or client_secret passed are incorrect.",
	redirectURIMismatch:        "The redirect_uri MUST match the registered callback URL for this application.",
	unsupportedGrantType:       "The grant_type is not supported.",
	unverifiedUserEmail:        "The user's primary email address is not verified.",
	applicationSuspended:       "Your application has been suspended.",
	accessDenied:               "The authorization request was denied.",
	authorizationPending:       "The authorization request is still pending.",
	slowDown:                   "Too many requests have been made in the same timeframe.",
	expiredToken:               "This 'device_code' has expired.",
	incorrectDeviceCode:        "The device_code provided is not valid.",
	deviceFlowDisabled:         "Device Flow must be explicitly enabled for this App",
}

// refusal is the reply for an OAuth error, which GitHub sends with status 200. The caller holds the lock.
func (s *Server) refusal(code oauthError) reply {
	uri := "https://docs.github.com"
	if s.options.RelativeErrorURI {
		uri = ""
	}
	text := oauthErrorText[code]
	if text == "" {
		text = "The request was refused."
	}
	return reply{status: s.options.ErrorStatus, fields: fields{
		"error":             string(code),
		"error_description": text,
		"error_uri":         uri + "/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/#" + string(code),
	}}
}

// unknownClient is the reply for a client id that nobody registered. The caller holds the lock.
func (s *Server) unknownClient() reply {
	if code := s.options.UnknownClientError; code != "" {
		return s.refusal(oauthError(code))
	}
	return reply{status: http.StatusNotFound, fields: fields{"error": "Not Found"}}
}
