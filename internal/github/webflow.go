package github

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

const authorizePath = "/login/oauth/authorize"

// Redemption is a code of the web flow, with what GitHub wants to see beside it.
type Redemption struct {
	// Code is what GitHub has sent the browser back with.
	Code credential.AuthorizationCode
	// Verifier is that of the challenge in the page's address.
	Verifier credential.CodeVerifier
	// RedirectURI is where the browser was sent back to.
	RedirectURI string
}

// RedeemCode redeems a code of the web flow: one POST, sent at most once, with the client secret, which GitHub wants beside
// the verifier. GitHub gives the pair out once, and may end it when a code is presented a second time: the reply needs the
// same care as that of Exchange, and a code of which no answer is known must not be presented again.
func (c *Client) RedeemCode(ctx context.Context, app App, redemption Redemption) (*Reply, error) {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return nil, err
	}
	switch {
	case redemption.Code.IsZero(), redemption.Verifier.IsZero(), redemption.RedirectURI == "":
		return nil, newError(InvalidRequest, h.String(), "the code, its verifier or its redirect URI is missing")
	case app.ClientSecret.IsZero():
		return nil, newError(IncorrectClientCredentials, h.String(), "there is no client secret, without which GitHub redeems no code")
	}
	return c.post(ctx, h, EndpointRedemption, tokenPath, app.limited(url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {clientID},
		"client_secret": {app.ClientSecret.Reveal()},
		"code":          {redemption.Code.Reveal()},
		"code_verifier": {redemption.Verifier.Reveal()},
		"redirect_uri":  {redemption.RedirectURI},
	}))
}

// PageRequest is what is asked for by the address of the page at which a person authorizes an App.
type PageRequest struct {
	// RedirectURI is where the browser is sent back to with the code.
	RedirectURI string
	// State comes back with the code, and Challenge is that of the verifier.
	State, Challenge string
	// Login is the account that is meant; empty when any will do.
	Login string
}

// AuthorizePage is the address of that page; empty when the host is none. An account is always asked for: whoever is signed
// in may be somebody else. A GitHub App knows no scopes and asks for none.
func AuthorizePage(app App, request PageRequest) string {
	h, problem := parseHost(app.Host)
	if problem != "" {
		return ""
	}
	query := url.Values{
		"client_id":             {strings.TrimSpace(app.ClientID)},
		"redirect_uri":          {request.RedirectURI},
		"state":                 {request.State},
		"code_challenge":        {request.Challenge},
		"code_challenge_method": {"S256"},
		"prompt":                {"select_account"},
	}
	if request.Login != "" {
		query.Set("login", request.Login)
	}
	if scopes := strings.Fields(app.Scope); len(scopes) > 0 && !gitHubAppIDs.MatchString(strings.TrimSpace(app.ClientID)) {
		query.Set("scope", strings.Join(scopes, " "))
	}
	return h.endpoints().OAuth + authorizePath + "?" + query.Encode()
}

// Challenge is PKCE's challenge of a verifier, by S256.
func Challenge(verifier credential.CodeVerifier) string {
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// EndsCode reports whether an error means that a code of the web flow is of no more use, or that something has to be changed
// for which ten minutes are not enough. What is wrong with the client secret, with the way to GitHub or with a limit, may pass in
// time: GitHub has not looked at the code then.
func (e *Error) EndsCode() bool {
	switch e.Reason {
	case CodeRejected, RefreshTokenRejected, RedirectMismatch, UnverifiedEmail, AccessDenied, ApplicationSuspended, UnsupportedGrantType,
		UnauthorizedClient, InvalidRequest, InvalidScope, AccountSuspended, BillingIssue, UnknownError:
		return true
	default:
		return e.Class == Rejected
	}
}
