package githubtest

import (
	"regexp"
	"slices"
	"time"
)

// CodePresentation is one request to the token endpoint with a code of the web flow. It holds fingerprints only.
type CodePresentation struct {
	// At is when the request arrived.
	At time.Time `json:"at"`
	// Fingerprint is that of the code.
	Fingerprint string `json:"fingerprint"`
	// ClientID is the client id presented.
	ClientID string `json:"clientID"`
	// User is the login of who authorized the App, if the code was ever given out.
	User string `json:"user,omitempty"`
	// Outcome says what came of it: Committed if it was redeemed.
	Outcome Outcome `json:"outcome"`
	// AfterSuccess reports whether the code had been redeemed before.
	AfterSuccess bool `json:"afterSuccess,omitempty"`
	// NewAccess is the fingerprint of the access token issued.
	NewAccess string `json:"newAccess,omitempty"`
}

// authorizationCode is a login of the web flow.
type authorizationCode struct {
	app         *App
	user        *User
	redirectURI string
	challenge   string
	scope       string
	expires     time.Time
	redeemed    bool
	issued      *pair
}

// arriveCode records a presented code. The caller holds the lock.
func (s *Server) arriveCode(c *call) {
	value := c.get("code")
	if value == "" || c.endpoint != TokenEndpoint {
		return
	}
	c.code = &CodePresentation{
		At: s.now(), Fingerprint: Fingerprint(value), ClientID: c.get("client_id"), Outcome: NotProcessed,
	}
	s.ledger.codes = append(s.ledger.codes, c.code)
	if code := s.codes[value]; code != nil {
		c.code.User = code.user.Login
		s.checkRedeemed(c, code)
	}
}

// checkRedeemed records that a code is presented which was redeemed before, once for each presentation. The caller holds
// the lock.
func (s *Server) checkRedeemed(c *call, code *authorizationCode) {
	if code.redeemed && !c.code.AfterSuccess {
		c.code.AfterSuccess = true
		s.violate(c, SpentCodePresented, "")
	}
}

// CodePresentations lists each time a code of the web flow was presented, in order of arrival.
func (s *Server) CodePresentations() []CodePresentation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]CodePresentation, len(s.ledger.codes))
	for i, c := range s.ledger.codes {
		out[i] = *c
	}
	return out
}

// redeemCode exchanges the code of the web flow. A try that is refused leaves the code as it was.
func (s *Server) redeemCode(c *call, app *App) reply {
	if !slices.Contains(app.Secrets, c.get("client_secret")) {
		return s.refuse(c, incorrectClientCredentials)
	}
	code := s.codes[c.get("code")]
	if code == nil || code.app != app || code.redeemed || !s.now().Before(code.expires) {
		if code != nil {
			s.checkRedeemed(c, code) // again: it may have been redeemed while a fault held the request
		}
		if code != nil && code.issued != nil && app.ReplayEndsTokens {
			code.issued.chain.last.kill(s.now(), Replayed)
		}
		return s.refuse(c, badVerificationCode)
	}
	if uri := c.get("redirect_uri"); uri != "" && uri != code.redirectURI {
		return s.refuse(c, redirectURIMismatch)
	}
	if code.challenge != "" {
		if !codeVerifier.MatchString(c.get("code_verifier")) {
			s.violate(c, WeakVerifier, "")
		}
		if code.challenge != challengeOf(c.get("code_verifier")) {
			return s.refuse(c, badVerificationCode)
		}
	}
	if code.user.EmailUnverified {
		return s.refuse(c, unverifiedUserEmail)
	}
	if s.creationRefused(app, code.user, code.scope) {
		return s.refuse(c, oauthError(app.CreationError))
	}
	code.redeemed = true
	issued := s.issue(app, code.user, false, code.scope, nil)
	issued.restrictTo(c.get("repository_id"))
	code.issued = issued
	c.code.NewAccess = issued.access.fingerprint
	return c.conclude(Committed, issued.reply())
}

// What RFC 7636 says of a verifier, and of the challenge that S256 makes of it.
var (
	codeVerifier  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	codeChallenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)
