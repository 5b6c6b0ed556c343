package githubtest

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Fingerprint names a token without giving it away: the first 16 bytes of its SHA-256 in hexadecimal. An empty token has
// an empty fingerprint.
func Fingerprint(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

// Pair is what a login or an exchange issues. It prints itself by fingerprints.
type Pair struct {
	AccessToken string
	// RefreshToken is empty if the App's token expiry is switched off.
	RefreshToken string
	// AccessTokenExpiresAt is zero if the App's token expiry is switched off.
	AccessTokenExpiresAt time.Time
	// RefreshTokenExpiresAt is zero if the App's token expiry is switched off.
	RefreshTokenExpiresAt time.Time
	// Scope is empty for a GitHub App.
	Scope    string
	ClientID string
	User     User
}

// Format writes fingerprints under every verb, so that a failing test prints no token.
func (p Pair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.redacted()) }

// LogValue gives log/slog fingerprints.
func (p Pair) LogValue() slog.Value { return slog.StringValue(p.redacted()) }

func (p Pair) redacted() string {
	return fmt.Sprintf("pair(access %s, refresh %s, app %s, user %s)",
		Fingerprint(p.AccessToken), Fingerprint(p.RefreshToken), p.ClientID, p.User.Login)
}

// Cause says what ended a token.
type Cause string

const (
	// Exchanged tokens died because their refresh token was exchanged.
	Exchanged Cause = "exchanged"
	// Expired tokens outlived their lifetime.
	Expired Cause = "expired"
	// Revoked tokens were revoked: by the admin side, the REST API, or with their grant.
	Revoked Cause = "revoked"
	// Evicted tokens were the ones to go when the user had more than App.MaxTokens.
	Evicted Cause = "evicted"
	// Replayed tokens died because the code that they were given out for was presented again.
	Replayed Cause = "replayed"
)

// half is one token of a pair.
type half struct {
	value       string
	fingerprint string
	expires     time.Time // zero: never
	died        time.Time // zero: not killed
	cause       Cause
}

// end tells when and why the token died, if it has by now.
func (h *half) end(now time.Time) (time.Time, Cause, bool) {
	switch {
	case !h.died.IsZero():
		return h.died, h.cause, true
	case h.expired(now):
		return h.expires, Expired, true
	default:
		return time.Time{}, "", false
	}
}

func (h *half) alive(now time.Time) bool { return h.value != "" && h.died.IsZero() && !h.expired(now) }

func (h *half) expired(now time.Time) bool { return !h.expires.IsZero() && !now.Before(h.expires) }

func (h *half) kill(now time.Time, cause Cause) {
	if h.alive(now) {
		h.died, h.cause = now, cause
	}
}

// pair is one issue of tokens, with its place in its chain.
type pair struct {
	app     *App
	user    *User
	grant   *grant
	element *list.Element // place in grant.pairs; nil once spent, revoked or evicted
	chain   *chain
	device  bool // from the device flow: refreshed without client secret
	scope   string
	issued  time.Time
	used    time.Time // when the access token was last used; zero: never
	access  half
	refresh half
	// restriction is what the tokens are limited to, or nil.
	restriction *Restriction
	// parent is the pair that a scoped token was made with, nil for all others; scoped are the tokens made with this one.
	parent *pair
	scoped []*pair
	// successor is the pair that the exchange of refresh has issued.
	successor *pair
}

// chain is everything that came of one login.
type chain struct {
	first, last *pair
	length      int
}

// grantKey is what GitHub counts tokens by.
type grantKey struct {
	clientID string
	userID   int64
	scope    string
}

// grant holds the pairs and scoped tokens of one user, App and scope that may still be alive, oldest first.
type grant struct {
	key   grantKey
	pairs list.List
}

// issue makes a pair, as a further link of the chain of previous unless that is nil.
func (s *Server) issue(app *App, user *User, device bool, scope string, previous *pair) *pair {
	now := s.now()
	p := &pair{app: app, user: user, device: device, scope: scope, issued: now, chain: &chain{}}
	p.access.value = app.AccessTokenPrefix + s.newToken(app, app.AccessTokenLength)
	p.access.fingerprint = Fingerprint(p.access.value)
	s.tokens[p.access.value] = p
	if !app.NoExpiry {
		p.access.expires = now.Add(app.AccessTokenLifetime)
	}
	if !app.NoExpiry && !app.NoRefreshToken && (!app.OfflineAccess || !device || hasScope(scope, "offline_access")) {
		p.refresh.value = app.RefreshTokenPrefix + s.newToken(app, app.RefreshTokenLength)
		p.refresh.fingerprint = Fingerprint(p.refresh.value)
		s.tokens[p.refresh.value] = p
		p.refresh.expires = now.Add(app.RefreshTokenLifetime)
	}
	if previous != nil {
		previous.successor = p
		p.chain, p.restriction = previous.chain, previous.restriction
	} else {
		p.chain.first = p
		s.chains = append(s.chains, p.chain)
	}
	p.chain.last = p
	p.chain.length++
	if previous == nil || app.RefreshesCreate {
		s.countCreation(app, user, scope)
	}
	s.newest[grantKey{clientID: app.ClientID, userID: user.ID}] = p
	s.enrol(p, now)
	return p
}

// newToken is what follows the prefix of a token.
func (s *Server) newToken(app *App, length int) string {
	if !app.LongTokens {
		return s.randomString(alphanumeric, length)
	}
	part := func(n int) string { return s.randomString(alphanumeric+"-_", n) }
	return fmt.Sprintf("%d_eyJ%s.eyJ%s.%s", app.ID, part(33), part(130), part(342)) // A header, claims and an RSA signature.
}

// enrol counts the pair against the user's limit and ends what is over it.
func (s *Server) enrol(p *pair, now time.Time) {
	key := grantKey{clientID: p.app.ClientID, userID: p.user.ID, scope: p.scope}
	g := s.grants[key]
	if g == nil {
		g = &grant{key: key}
		s.grants[key] = g
	}
	p.grant, p.element = g, g.pairs.PushBack(p)
	if p.app.MaxTokens < 0 || g.pairs.Len() <= p.app.MaxTokens {
		return
	}
	for e := g.pairs.Front(); e != nil; {
		old := e.Value.(*pair)
		e = e.Next()
		if !old.access.alive(now) && !old.refresh.alive(now) {
			old.leave()
		}
	}
	for len(g.counted()) > p.app.MaxTokens {
		evictee(g.counted(), now).kill(now, Evicted)
	}
}

// kill ends both tokens.
func (p *pair) kill(now time.Time, cause Cause) {
	p.end(&p.access, now, cause)
	p.end(&p.refresh, now, cause)
	p.leave()
}

// end ends one of the tokens, and with an access token those that were scoped from it.
func (p *pair) end(h *half, now time.Time, cause Cause) {
	h.kill(now, cause)
	if h == &p.access && !p.app.ScopedTokensOutliveParent {
		for _, scoped := range p.scoped {
			scoped.kill(now, cause)
		}
	}
}

func (p *pair) leave() {
	if p.element != nil {
		p.grant.pairs.Remove(p.element)
		p.element = nil
	}
}

// half returns the half of the pair that is this token.
func (p *pair) half(token string) *half {
	if p.refresh.value == token {
		return &p.refresh
	}
	return &p.access
}

func (p *pair) export() Pair {
	return Pair{
		AccessToken:           p.access.value,
		RefreshToken:          p.refresh.value,
		AccessTokenExpiresAt:  p.access.expires,
		RefreshTokenExpiresAt: p.refresh.expires,
		Scope:                 p.scope,
		ClientID:              p.app.ClientID,
		User:                  *p.user,
	}
}
