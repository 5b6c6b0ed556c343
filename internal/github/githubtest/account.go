package githubtest

import (
	"errors"
	"strings"
)

// Mint logs a user in, as the web flow would, and returns the first pair of a new chain. It panics if there is no such
// App; an account that is missing is added.
func (s *Server) Mint(clientID, login string) Pair { return s.mint(clientID, login, false) }

// MintFromDevice logs a user in as the device flow would: the chain is refreshed without a client secret.
func (s *Server) MintFromDevice(clientID, login string) Pair { return s.mint(clientID, login, true) }

func (s *Server) mint(clientID, login string, device bool) Pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.mustApp(clientID)
	return s.issue(app, s.ensureUser(login), device, scopeOf(app, ""), nil).export()
}

// Adopt is Mint with a refresh token of the caller's choice, for an example that is to work as it stands. The token must
// not be known yet.
func (s *Server) Adopt(clientID, login, refreshToken string) (Pair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.mustApp(clientID)
	switch {
	case refreshToken == "":
		return Pair{}, errors.New("the refresh token is empty")
	case s.tokens[refreshToken] != nil:
		return Pair{}, errors.New("this token was issued before")
	case app.NoExpiry:
		return Pair{}, errors.New("this App has no refresh tokens: its token expiry is switched off")
	}
	p := s.issue(app, s.ensureUser(login), false, scopeOf(app, ""), nil)
	delete(s.tokens, p.refresh.value)
	p.refresh.value, p.refresh.fingerprint = refreshToken, Fingerprint(refreshToken)
	s.tokens[refreshToken] = p
	return p.export(), nil
}

// Revoke ends a token, and with it the other one of its pair. It reports whether the token was alive.
func (s *Server) Revoke(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tokens[token]
	if p == nil || !p.half(token).alive(s.now()) {
		return false
	}
	p.kill(s.now(), Revoked)
	return true
}

// RevokeGrant ends every token that a user has of an App, as the user can at github.com/settings, and sends the App's
// webhook. It reports whether there was anything to revoke.
func (s *Server) RevokeGrant(clientID, login string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, user := s.apps[clientID], s.users[strings.ToLower(login)]
	if app == nil || user == nil {
		return false
	}
	return s.revokeGrant(app, user)
}

func (s *Server) revokeGrant(app *App, user *User) bool {
	now, revoked := s.now(), false
	for key, g := range s.grants {
		if key.clientID != app.ClientID || key.userID != user.ID {
			continue
		}
		for g.pairs.Len() > 0 {
			p := g.pairs.Front().Value.(*pair)
			revoked = revoked || p.access.alive(now) || p.refresh.alive(now)
			p.kill(now, Revoked)
		}
	}
	if revoked {
		s.announceRevocation(app, user)
	}
	return revoked
}

// Expire lets a token, access or refresh, expire at once. It reports whether the token was alive.
func (s *Server) Expire(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tokens[token]
	if p == nil || !p.half(token).alive(s.now()) {
		return false
	}
	p.half(token).expires = s.now()
	if token == p.access.value && !p.app.ScopedTokensOutliveParent {
		for _, scoped := range p.scoped {
			scoped.access.expires = s.now()
		}
	}
	return true
}

// Authenticate says whose access token this is, if it works at this moment. It is what a service behind GitHub's login
// asks, such as git over HTTPS.
func (s *Server) Authenticate(accessToken string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.authenticate(accessToken)
	if p == nil {
		return User{}, false
	}
	p.used = s.now()
	return *p.user, true
}

// authenticate returns the pair of an access token that works, or nil.
func (s *Server) authenticate(accessToken string) *pair {
	p, now := s.tokens[accessToken], s.now()
	if p == nil || p.access.value != accessToken || !p.access.alive(now) {
		return nil
	}
	if now.Sub(p.issued) < s.options.FreshTokenRefusedFor {
		return nil
	}
	return p
}
