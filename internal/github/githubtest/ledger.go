package githubtest

import (
	"slices"
	"strings"
	"time"
)

// Outcome says what came of a refresh token that was presented: Committed, NotProcessed, RateLimitExceeded, UnknownApp,
// or the OAuth error, such as "bad_refresh_token".
type Outcome string

const (
	// Committed: the token was exchanged, whether or not the reply arrived.
	Committed Outcome = "exchanged"
	// NotProcessed: a fault kept the request from being looked at, or still holds it.
	NotProcessed Outcome = "not_processed"
	// RateLimitExceeded: refused by the App's rate limit.
	RateLimitExceeded Outcome = "rate_limited"
	// UnknownApp: refused because of its client id.
	UnknownApp Outcome = "not_found"
	// RefusedToken: refused because the token is spent, expired, revoked, or was never issued to this App.
	RefusedToken = Outcome(badRefreshToken)
)

// Presentation is one request that carried a refresh token. It holds fingerprints only.
type Presentation struct {
	// N counts the presentations from 1.
	N int `json:"n"`
	// At is when the request arrived.
	At time.Time `json:"at"`
	// Fingerprint is that of the refresh token presented.
	Fingerprint string `json:"fingerprint"`
	// ClientID is the client id presented.
	ClientID string `json:"clientID"`
	// User is the login of the token's owner, if it was ever issued.
	User string `json:"user,omitempty"`
	// Host is the host that the request named.
	Host string `json:"host"`
	// Outcome says what came of it.
	Outcome Outcome `json:"outcome"`
	// AfterSuccess says that the token had been exchanged before: a double spend.
	AfterSuccess bool `json:"afterSuccess,omitempty"`
	// Fault is the effect of the fault that was played, with its phase.
	Fault string `json:"fault,omitempty"`
	// NewAccess is the fingerprint of the access token issued.
	NewAccess string `json:"newAccess,omitempty"`
	// NewRefresh is the fingerprint of the refresh token issued.
	NewRefresh string `json:"newRefresh,omitempty"`
}

// Rule is something a strict server holds against a client.
type Rule string

const (
	// SpentTokenPresented: a refresh token was presented after it had been exchanged.
	SpentTokenPresented Rule = "spent token presented"
	// MissingClientSecret: a refresh token of the web flow was presented without client_secret.
	MissingClientSecret Rule = "missing client_secret"
	// WrongContentType: the request had a body that is neither a form nor JSON.
	WrongContentType Rule = "wrong content type"
	// BasicAuth: the request carried HTTP Basic credentials, which the OAuth endpoints do not know.
	BasicAuth Rule = "HTTP Basic"
	// UnexpectedHeader: the request carried a header that has no business at the endpoint.
	UnexpectedHeader Rule = "unexpected header"
	// SpentCodePresented: a code of the web flow was presented after it had been redeemed.
	SpentCodePresented Rule = "spent code presented"
	// MissingState: an authorization was asked for without state, so that the answer may be somebody else's.
	MissingState Rule = "missing state"
	// MissingChallenge: an authorization was asked for without PKCE, which GitHub recommends and does not require.
	MissingChallenge Rule = "missing code_challenge"
	// WeakVerifier: a code_verifier was not of the 43 to 128 characters that RFC 7636 wants.
	WeakVerifier Rule = "weak code_verifier"
	// ScopedTokenScoped: a scoped token was asked for with a token that is scoped itself.
	ScopedTokenScoped Rule = "scoped token scoped again"
	// SecretInURL: a token, a code or a client secret stood in the query string, where logs keep it.
	SecretInURL Rule = "secret in URL"
	// RepeatedParameter: a parameter was sent twice.
	RepeatedParameter Rule = "repeated parameter"
)

// Violation is one breach of a Rule.
type Violation struct {
	At   time.Time `json:"at"`
	Rule Rule      `json:"rule"`
	// Detail is the name of the header, where that is the matter.
	Detail string `json:"detail,omitempty"`
	// Fingerprint is that of the refresh token, or of the web flow's code, presented, if there was one.
	Fingerprint string `json:"fingerprint,omitempty"`
	// ClientID is the client id presented.
	ClientID string `json:"clientID,omitempty"`
}

// ledger remembers every refresh token presented.
type ledger struct {
	all           []*Presentation
	byFingerprint map[string][]*Presentation
	committed     []*Presentation
	doubleSpends  []*Presentation
	violations    []Violation
	codes         []*CodePresentation
}

func (l *ledger) add(p *Presentation) {
	p.N = len(l.all) + 1
	l.all = append(l.all, p)
	l.byFingerprint[p.Fingerprint] = append(l.byFingerprint[p.Fingerprint], p)
}

// arrive records a presented refresh token. The caller holds the lock.
func (s *Server) arrive(c *call) {
	token := c.get("refresh_token")
	if token == "" {
		return
	}
	c.presentation = &Presentation{
		At:          s.now(),
		Fingerprint: Fingerprint(token),
		ClientID:    c.get("client_id"),
		Host:        c.r.Host,
		Outcome:     NotProcessed,
	}
	if p := s.tokens[token]; p != nil {
		c.presentation.User = p.user.Login
		s.checkSpent(c, p)
	}
	s.ledger.add(c.presentation)
}

// checkSpent records a double spend, once for each presentation. The caller holds the lock.
func (s *Server) checkSpent(c *call, p *pair) {
	if p.refresh.cause == Exchanged && !c.presentation.AfterSuccess {
		c.presentation.AfterSuccess = true
		s.ledger.doubleSpends = append(s.ledger.doubleSpends, c.presentation)
		s.violate(c, SpentTokenPresented, "")
	}
}

func (s *Server) violate(c *call, rule Rule, detail string) {
	presented := c.get("refresh_token")
	def(&presented, c.get("code"))
	s.ledger.violations = append(s.ledger.violations, Violation{
		At: s.now(), Rule: rule, Detail: detail,
		Fingerprint: Fingerprint(presented), ClientID: c.get("client_id"),
	})
}

// Presentations lists every refresh token presented, in order of arrival.
func (s *Server) Presentations() []Presentation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return deref(s.ledger.all)
}

// PresentationsOf lists each time this refresh token was presented, in order of arrival.
func (s *Server) PresentationsOf(refreshToken string) []Presentation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return deref(s.ledger.byFingerprint[Fingerprint(refreshToken)])
}

// Exchanges lists the exchanges made, in order.
func (s *Server) Exchanges() []Presentation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return deref(s.ledger.committed)
}

// ExchangesOf is how often this refresh token was exchanged: 0 or 1.
func (s *Server) ExchangesOf(refreshToken string) int {
	count := 0
	for _, p := range s.PresentationsOf(refreshToken) {
		if p.Outcome == Committed {
			count++
		}
	}
	return count
}

// DoubleSpends lists the presentations of tokens that had already been exchanged. A client that lost a reply may make
// one; a client that got the reply, never.
func (s *Server) DoubleSpends() []Presentation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return deref(s.ledger.doubleSpends)
}

// Violations lists what a strict server holds against its clients.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger.violations)
}

func deref(list []*Presentation) []Presentation {
	out := make([]Presentation, len(list))
	for i, p := range list {
		out[i] = *p
	}
	return out
}

// TokenState is what is known of one token, access or refresh. It holds fingerprints only.
type TokenState struct {
	Fingerprint string `json:"fingerprint"`
	// Kind is "access" or "refresh".
	Kind     string    `json:"kind"`
	ClientID string    `json:"clientID"`
	User     string    `json:"user"`
	IssuedAt time.Time `json:"issuedAt"`
	// ExpiresAt is zero if the token never expires.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	Alive     bool      `json:"alive"`
	// DiedAt is zero while the token lives.
	DiedAt time.Time `json:"diedAt,omitzero"`
	// Cause of its death.
	Cause Cause `json:"cause,omitempty"`
	// Presented is how often a refresh token was presented.
	Presented int `json:"presented"`
	// Exchanged is how often a refresh token was exchanged: 0 or 1.
	Exchanged int `json:"exchanged"`
	// Successor is the fingerprint of the token that replaced it.
	Successor string `json:"successor,omitempty"`
}

// StateOf tells what is known of a token; false if it was never issued.
func (s *Server) StateOf(token string) (TokenState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tokens[token]
	if p == nil {
		return TokenState{}, false
	}
	h := p.half(token)
	state := TokenState{
		Fingerprint: h.fingerprint, Kind: "access", ClientID: p.app.ClientID, User: p.user.Login,
		IssuedAt: p.issued, ExpiresAt: h.expires,
	}
	diedAt, cause, dead := h.end(s.now())
	state.Alive, state.DiedAt, state.Cause = !dead, diedAt, cause
	if h == &p.refresh {
		state.Kind = "refresh"
	}
	for _, presentation := range s.ledger.byFingerprint[h.fingerprint] {
		state.Presented++
		if presentation.Outcome == Committed {
			state.Exchanged++
		}
	}
	if p.successor != nil {
		state.Successor = p.successor.access.fingerprint
		if h == &p.refresh {
			state.Successor = p.successor.refresh.fingerprint
		}
	}
	return state, true
}

// Alive reports whether a token, access or refresh, was issued and is neither spent, expired, revoked nor evicted.
func (s *Server) Alive(token string) bool {
	state, known := s.StateOf(token)
	return known && state.Alive
}

// DiedAt tells when a token stopped working; false if it lives or was never issued.
func (s *Server) DiedAt(token string) (time.Time, bool) {
	state, known := s.StateOf(token)
	return state.DiedAt, known && !state.Alive
}

// Successor is the pair that the exchange of this refresh token issued, whether or not the reply arrived.
func (s *Server) Successor(refreshToken string) (Pair, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tokens[refreshToken]
	if p == nil || p.successor == nil {
		return Pair{}, false
	}
	return p.successor.export(), true
}

// Last is the newest pair of the chain that this token, access or refresh, belongs to.
func (s *Server) Last(token string) (Pair, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.tokens[token]
	if p == nil {
		return Pair{}, false
	}
	return p.chain.last.export(), true
}

// Newest is the pair that was issued last for a user of an App, in whichever chain.
func (s *Server) Newest(clientID, login string) (Pair, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user := s.users[strings.ToLower(login)]
	if user == nil {
		return Pair{}, false
	}
	p := s.newest[grantKey{clientID: clientID, userID: user.ID}]
	if p == nil {
		return Pair{}, false
	}
	return p.export(), true
}

// Chain is everything that came of one login, by fingerprints.
type Chain struct {
	// ID is the fingerprint of the chain's first access token.
	ID       string `json:"id"`
	ClientID string `json:"clientID"`
	User     string `json:"user"`
	// Length is the number of pairs issued.
	Length int `json:"length"`
	// Access is the fingerprint of the newest access token.
	Access string `json:"access"`
	// Refresh is the fingerprint of the newest refresh token.
	Refresh          string    `json:"refresh,omitempty"`
	IssuedAt         time.Time `json:"issuedAt"`
	AccessExpiresAt  time.Time `json:"accessExpiresAt,omitzero"`
	RefreshExpiresAt time.Time `json:"refreshExpiresAt,omitzero"`
	AccessAlive      bool      `json:"accessAlive"`
	RefreshAlive     bool      `json:"refreshAlive"`
	// Pair holds the newest tokens themselves; it is no part of the JSON.
	Pair Pair `json:"-"`
}

// Chains lists the logins, oldest first.
func (s *Server) Chains() []Chain {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	out := make([]Chain, len(s.chains))
	for i, c := range s.chains {
		p := c.last
		out[i] = Chain{
			ID: c.first.access.fingerprint, ClientID: p.app.ClientID, User: p.user.Login, Length: c.length,
			Access: p.access.fingerprint, Refresh: p.refresh.fingerprint, IssuedAt: p.issued,
			AccessExpiresAt: p.access.expires, RefreshExpiresAt: p.refresh.expires,
			AccessAlive: p.access.alive(now), RefreshAlive: p.refresh.alive(now), Pair: p.export(),
		}
	}
	return out
}
