package githubtest

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiVersions are the values of X-GitHub-Api-Version that GitHub takes. The first is the default.
var apiVersions = []string{"2022-11-28", "2026-03-10"}

// documentedRESTLimit is what the x-ratelimit headers tell where Options.RESTLimit enforces nothing.
const documentedRESTLimit = 5000

// maxRevokedCredentials is how many tokens one request to POST /credentials/revoke may name.
const maxRevokedCredentials = 1000

// badCredentials counts an address's failures in a row.
type badCredentials struct {
	inARow      int
	pausedUntil time.Time
}

func restError(status int, message string) reply {
	return jsonReply(status, map[string]string{
		"message":           message,
		"documentation_url": "https://docs.github.com/rest",
		"status":            strconv.Itoa(status),
	})
}

// precheck refuses what no REST endpoint answers: nil if the request may go on. The caller holds the lock.
func (s *Server) precheck(c *call) *reply {
	var refused reply
	version := c.r.Header.Get("X-GitHub-Api-Version")
	switch {
	case c.r.UserAgent() == "":
		refused = textReply(http.StatusForbidden, "text/html; charset=utf-8",
			"Request forbidden by administrative rules. Please make sure your request has a User-Agent header.\n")
	case version != "" && !slices.Contains(apiVersions, version):
		refused = restError(http.StatusBadRequest, "The X-GitHub-Api-Version header names no version of this API.")
	case s.now().Before(s.badAuthOf(c).pausedUntil):
		refused = restError(http.StatusForbidden, "Maximum number of login attempts exceeded. Please try again later.")
	default:
		return nil
	}
	return &refused
}

func (s *Server) badAuthOf(c *call) *badCredentials {
	address := remoteIP(c.r)
	if s.badAuth[address] == nil {
		s.badAuth[address] = &badCredentials{}
	}
	return s.badAuth[address]
}

func remoteIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// badCredentialsReply counts the failure and refuses.
func (s *Server) badCredentialsReply(c *call) reply {
	b := s.badAuthOf(c)
	b.inARow++
	if limit := s.options.BadCredentialsLimit; limit > 0 && b.inARow >= limit {
		b.inARow, b.pausedUntil = 0, s.now().Add(s.options.BadCredentialsPause)
	}
	return restError(http.StatusUnauthorized, "Bad credentials")
}

// answerUser is GET /user.
func (s *Server) answerUser(c *call) reply {
	if refused := s.precheck(c); refused != nil {
		return *refused
	}
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return restError(http.StatusUnauthorized, "Requires authentication")
	}
	p := s.authenticate(strings.TrimSpace(token))
	if p == nil {
		return s.badCredentialsReply(c)
	}
	s.badAuthOf(c).inARow = 0
	p.used = s.now()
	if p.user.Suspended {
		return restError(http.StatusForbidden, "Sorry. Your account was suspended.")
	}
	limit := s.options.RESTLimit
	w, allowed := s.spend("rest/"+strconv.FormatInt(p.user.ID, 10), limit, time.Hour)
	def(&limit, documentedRESTLimit)
	if !allowed {
		return tooMany(limit, w, "core")
	}
	result := jsonReply(http.StatusOK, userJSON(c, p.user))
	result.rateHeaders(limit, w, "core")
	result.setHeader("X-OAuth-Scopes", p.scope)
	if p.user.SingleSignOn != "" {
		result.setHeader("X-GitHub-SSO", p.user.SingleSignOn)
	}
	if !p.access.expires.IsZero() {
		result.setHeader("GitHub-Authentication-Token-Expiration", p.access.expires.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return c.versioned(result)
}

// versioned says which API version answered.
func (c *call) versioned(p reply) reply {
	version := c.r.Header.Get("X-GitHub-Api-Version")
	def(&version, apiVersions[0])
	p.setHeader("X-GitHub-Api-Version-Selected", version)
	p.setHeader("X-GitHub-Media-Type", "github.v3; format=json")
	return p
}

func userJSON(c *call, u *User) map[string]any {
	web := "https://" + strings.TrimPrefix(c.r.Host, "api.")
	return map[string]any{
		"login":      u.Login,
		"id":         u.ID,
		"node_id":    "U_" + strconv.FormatInt(u.ID, 10),
		"type":       "User",
		"site_admin": false,
		"html_url":   web + "/" + u.Login,
	}
}

// appRequest checks the App's Basic credentials and returns the App and the pair of the token in the body. The pair is
// nil if the token does not work or is another App's.
func (s *Server) appRequest(c *call) (*App, *pair, *reply) {
	if refused := s.precheck(c); refused != nil {
		return nil, nil, refused
	}
	id, secret, _ := c.r.BasicAuth()
	app := s.apps[id]
	if app == nil || !slices.Contains(app.Secrets, secret) {
		refused := s.badCredentialsReply(c)
		return nil, nil, &refused
	}
	if id != c.r.PathValue("client_id") {
		refused := restError(http.StatusNotFound, "Not Found")
		return nil, nil, &refused
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(c.body, &body) != nil {
		refused := restError(http.StatusBadRequest, "Problems parsing JSON")
		return nil, nil, &refused
	}
	if body.AccessToken == "" {
		refused := restError(http.StatusUnprocessableEntity, "Invalid request.\n\n\"access_token\" wasn't supplied.")
		return nil, nil, &refused
	}
	s.badAuthOf(c).inARow = 0
	p := s.authenticate(body.AccessToken)
	if p != nil && p.app != app {
		p = nil
	}
	return app, p, nil
}

// answerCheck is POST /applications/{client_id}/token: 200, or 404 for a token that does not work.
func (s *Server) answerCheck(c *call) reply {
	app, p, refused := s.appRequest(c)
	if refused != nil {
		return *refused
	}
	if p == nil {
		return restError(http.StatusNotFound, "Not Found")
	}
	return c.versioned(jsonReply(http.StatusOK, authorizationJSON(c, app, p)))
}

// authorizationJSON is what the REST API tells of a token.
func authorizationJSON(c *call, app *App, p *pair) map[string]any {
	authorization := map[string]any{
		"id":               1,
		"url":              "https://" + c.r.Host + "/authorizations/1",
		"token":            p.access.value,
		"token_last_eight": p.access.value[max(0, len(p.access.value)-8):],
		"scopes":           strings.FieldsFunc(p.scope, func(r rune) bool { return r == ',' }),
		"app":              map[string]any{"name": app.Name, "client_id": app.ClientID, "url": "https://" + c.r.Host},
		"created_at":       p.issued.UTC().Format(time.RFC3339),
		"updated_at":       p.issued.UTC().Format(time.RFC3339),
		"expires_at":       nil,
		"user":             userJSON(c, p.user),
	}
	if !p.access.expires.IsZero() {
		authorization["expires_at"] = p.access.expires.UTC().Format(time.RFC3339)
	}
	if installation := p.restriction.installation(app); installation != nil {
		authorization["installation"] = installation
	}
	return authorization
}

// answerDeleteToken is DELETE /applications/{client_id}/token: it ends the pair of this token, or the token alone.
func (s *Server) answerDeleteToken(c *call) reply {
	_, p, refused := s.appRequest(c)
	if refused != nil {
		return *refused
	}
	if p == nil {
		return restError(http.StatusNotFound, "Not Found")
	}
	if s.options.DeleteSparesRefreshToken {
		p.end(&p.access, s.now(), Revoked)
	} else {
		p.kill(s.now(), Revoked)
	}
	return c.versioned(reply{status: http.StatusNoContent})
}

// answerDeleteGrant is DELETE /applications/{client_id}/grant: it ends every token that the user has of the App.
func (s *Server) answerDeleteGrant(c *call) reply {
	app, p, refused := s.appRequest(c)
	if refused != nil {
		return *refused
	}
	if p == nil {
		return restError(http.StatusNotFound, "Not Found")
	}
	s.revokeGrant(app, p.user)
	return c.versioned(reply{status: http.StatusNoContent})
}

// answerRevoke is POST /credentials/revoke. It takes access and refresh tokens, and no authentication (an Enterprise Server
// wants one), ends just the tokens that it names, and does not say whether they were any good.
func (s *Server) answerRevoke(c *call) reply {
	if refused := s.precheck(c); refused != nil {
		return *refused
	}
	switch authenticated := c.r.Header.Get("Authorization") != ""; {
	case s.options.RevokeNeedsAuthentication && !authenticated:
		return restError(http.StatusUnauthorized, "Requires authentication")
	case !s.options.RevokeNeedsAuthentication && authenticated:
		return restError(http.StatusForbidden, "This endpoint takes requests without authentication only.")
	}
	limit := s.options.RevokeLimit
	w, allowed := s.spend("revoke/"+remoteIP(c.r), limit, time.Hour)
	if !allowed {
		return tooMany(limit, w, "credentials_revoke")
	}
	var body struct {
		Credentials []string `json:"credentials"`
	}
	if json.Unmarshal(c.body, &body) != nil {
		return restError(http.StatusBadRequest, "Problems parsing JSON")
	}
	if len(body.Credentials) == 0 || len(body.Credentials) > maxRevokedCredentials {
		return restError(http.StatusUnprocessableEntity, "Invalid request.\n\n\"credentials\" must hold 1 to 1000 tokens.")
	}
	now := s.now()
	for _, token := range body.Credentials {
		if p := s.tokens[token]; p != nil {
			p.end(p.half(token), now, Revoked)
		}
	}
	result := jsonReply(http.StatusAccepted, map[string]any{})
	if limit > 0 {
		result.rateHeaders(limit, w, "credentials_revoke")
	}
	return c.versioned(result)
}
