package githubtest

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

const deviceGrantType = "urn:ietf:params:oauth:grant-type:device_code"

// answerToken is POST /login/oauth/access_token. It runs under the lock: of two exchanges of one token, one wins.
func (s *Server) answerToken(c *call) reply {
	app := s.apps[c.get("client_id")]
	if app == nil {
		return c.conclude(UnknownApp, s.unknownClient())
	}
	used, allowed := s.spend("token/"+app.ClientID, app.RateLimit.Limit, app.RateLimit.Window)
	if !allowed {
		return c.conclude(RateLimitExceeded, s.overTokenLimit(app.RateLimit, used))
	}
	result := s.answerGrant(c, app)
	if app.RateLimit.Limit > 0 && !app.RateLimit.NoReset {
		result.rateHeaders(app.RateLimit.Limit, used, tokenResource)
	}
	return result
}

// answerGrant answers for an App that is known and within its rate limit.
func (s *Server) answerGrant(c *call, app *App) reply {
	if app.Suspended {
		return s.refuse(c, applicationSuspended)
	}
	switch c.get("grant_type") {
	case "refresh_token":
		return s.exchange(c, app)
	case deviceGrantType:
		return s.pollDevice(c, app)
	case "", "authorization_code":
		return s.redeemCode(c, app)
	default:
		return s.refuse(c, unsupportedGrantType)
	}
}

// conclude notes the outcome in the ledger.
func (c *call) conclude(outcome Outcome, r reply) reply {
	if c.presentation != nil {
		c.presentation.Outcome = outcome
	}
	if c.code != nil {
		c.code.Outcome = outcome
	}
	return r
}

func (s *Server) refuse(c *call, code oauthError) reply {
	return c.conclude(Outcome(code), s.refusal(code))
}

// exchange spends a refresh token: at this instant both old tokens die.
func (s *Server) exchange(c *call, app *App) reply {
	p := s.tokens[c.get("refresh_token")]
	secret := c.get("client_secret")
	if secret == "" && (p == nil || !p.device) {
		s.violate(c, MissingClientSecret, "")
		return s.refuse(c, incorrectClientCredentials)
	}
	if secret != "" && !slices.Contains(app.Secrets, secret) {
		return s.refuse(c, incorrectClientCredentials)
	}
	if p == nil || p.app != app || p.refresh.value != c.get("refresh_token") {
		return s.refuse(c, badRefreshToken)
	}
	s.checkSpent(c, p) // again: it may have been spent while a fault held the request
	now := s.now()
	if !p.refresh.alive(now) {
		return s.refuse(c, badRefreshToken)
	}
	if p.user.EmailUnverified {
		return s.refuse(c, unverifiedUserEmail)
	}
	if app.RefreshesCreate && s.creationRefused(app, p.user, p.scope) {
		return s.refuse(c, oauthError(app.CreationError))
	}
	p.kill(now, Exchanged)
	next := s.issue(app, p.user, p.device, p.scope, p)
	if c.presentation != nil {
		c.presentation.NewAccess = next.access.fingerprint
		c.presentation.NewRefresh = next.refresh.fingerprint
		s.ledger.committed = append(s.ledger.committed, c.presentation)
	}
	c.committed = true
	return c.conclude(Committed, next.reply())
}

// reply is the token endpoint's answer that hands out the pair.
func (p *pair) reply() reply {
	f := fields{"access_token": p.access.value, "token_type": "bearer", "scope": p.scope}
	if !p.access.expires.IsZero() {
		f["expires_in"] = int64(p.access.expires.Sub(p.issued) / time.Second)
	}
	if p.refresh.value != "" {
		f["refresh_token"] = p.refresh.value
		f["refresh_token_expires_in"] = int64(p.refresh.expires.Sub(p.issued) / time.Second)
	}
	return reply{status: 200, fields: f, strings: p.app.NumbersAsStrings}
}

// challengeOf is PKCE's S256.
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
