package githubtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Admin is the side of the Server that GitHub has not got, as JSON over HTTP, for processes that cannot call its
// methods. It knows no authentication: serve it on loopback only. Tokens are given out by POST /mint and with ?reveal,
// nowhere else. Durations are written as "30s".
//
//	GET    /healthz
//	GET    /apps                                   the Apps, without secrets
//	PATCH  /apps/{client_id}                       AppChange
//	POST   /mint?app=&user=[&device=true]          a first pair
//	POST   /mint?app=&user=&only=refresh_token     a first pair, of which the refresh token is told, as plain text
//	POST   /mint?app=&user=  {"refresh_token": …}  a first pair with this refresh token
//	POST   /revoke?app=&user=                      revoke a grant
//	POST   /revoke   {"token": …}                  revoke a token and the other one of its pair
//	POST   /expire   {"token": …}                  let a token expire at once
//	POST   /state    {"token": …}                  TokenState
//	GET    /chains[?app=&user=][&reveal]           Chain; with reveal also the newest tokens
//	GET    /exchanges                              the exchanges made
//	GET    /presentations[?fingerprint=]           every refresh token presented
//	GET    /codes                                  every code of the web flow presented
//	GET    /double-spends
//	GET    /violations
//	GET    /summary                                Summary
//	GET    /devices                                device flows that wait for their person
//	POST   /devices/approve?code=&user=
//	POST   /devices/deny?code=
//	GET    /faults                                 all ever injected, with their hits
//	POST   /faults   FaultRequest                  {"id": …}
//	POST   /faults/{id}/release
//	DELETE /faults/{id}
//	DELETE /faults
//	GET    /deliveries                             webhooks sent
//	POST   /deliveries/{id}/redeliver
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, answer func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			value, err := answer(r)
			writeAdmin(w, value, err)
		})
	}
	route("GET /healthz", func(*http.Request) (any, error) { return adminOK, nil })
	route("GET /apps", func(*http.Request) (any, error) { return s.adminApps(), nil })
	route("PATCH /apps/{client_id}", s.adminChangeApp)
	route("POST /mint", s.adminMint)
	route("POST /revoke", s.adminRevoke)
	route("POST /expire", s.adminExpire)
	route("POST /state", s.adminState)
	route("GET /chains", s.adminChains)
	route("GET /exchanges", func(*http.Request) (any, error) { return s.Exchanges(), nil })
	route("GET /presentations", s.adminPresentations)
	route("GET /codes", func(*http.Request) (any, error) { return s.CodePresentations(), nil })
	route("GET /double-spends", func(*http.Request) (any, error) { return s.DoubleSpends(), nil })
	route("GET /violations", func(*http.Request) (any, error) { return emptyNotNull(s.Violations()), nil })
	route("GET /summary", func(*http.Request) (any, error) { return s.Summary(), nil })
	route("GET /devices", func(*http.Request) (any, error) { return emptyNotNull(s.PendingDevices()), nil })
	route("POST /devices/approve", s.adminApprove)
	route("POST /devices/deny", s.adminDeny)
	route("GET /faults", func(*http.Request) (any, error) { return s.adminFaults(), nil })
	route("POST /faults", s.adminInject)
	route("POST /faults/{id}/release", s.adminFault((*Injection).Release))
	route("DELETE /faults/{id}", s.adminFault((*Injection).Remove))
	route("DELETE /faults", func(*http.Request) (any, error) { s.ClearFaults(); return adminOK, nil })
	route("GET /deliveries", func(*http.Request) (any, error) { return s.Deliveries(), nil })
	route("POST /deliveries/{id}/redeliver", s.adminRedeliver)
	return mux
}

var adminOK = map[string]bool{"ok": true}

// adminError is a refusal with its status.
type adminError struct {
	status int
	text   string
}

func (e adminError) Error() string { return e.text }

func notFound(format string, args ...any) error {
	return adminError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return adminError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// plainText is an answer that is not wrapped in JSON, for a shell to pass on.
type plainText string

func writeAdmin(w http.ResponseWriter, value any, err error) {
	if text, ok := value.(plainText); ok && err == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, string(text)) // the client may have gone
		return
	}
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
		if refused, ok := errors.AsType[adminError](err); ok {
			status = refused.status
		}
		value = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // the client may have gone
}

func emptyNotNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// readJSON reads a body and names no part of it in its error, for it may hold a token.
func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxRequestBody))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if decoder.Decode(into) != nil {
		return badRequest("the body is not the JSON object that %s %s takes", r.Method, r.URL.Path)
	}
	return nil
}

func readToken(r *http.Request) (string, error) {
	var body struct {
		Token string `json:"token"`
	}
	if err := readJSON(r, &body); err != nil {
		return "", err
	}
	return body.Token, nil
}

var errNoSuchToken = adminError{http.StatusNotFound, "this token is not alive here"}

// AppChange is what PATCH /apps/{client_id} takes; a field that is left out stays.
type AppChange struct {
	// AccessTokenLifetime and RefreshTokenLifetime are durations such as "30s".
	AccessTokenLifetime  *string `json:"accessTokenLifetime,omitempty"`
	RefreshTokenLifetime *string `json:"refreshTokenLifetime,omitempty"`
	// Secrets replaces all client secrets.
	Secrets          []string `json:"secrets,omitempty"`
	DeviceFlow       *bool    `json:"deviceFlow,omitempty"`
	Suspended        *bool    `json:"suspended,omitempty"`
	NoExpiry         *bool    `json:"noExpiry,omitempty"`
	NumbersAsStrings *bool    `json:"numbersAsStrings,omitempty"`
	// MaxTokens, MaxCreations and DeviceCodeEntries lift their limit if they are negative.
	MaxTokens         *int `json:"maxTokens,omitempty"`
	MaxCreations      *int `json:"maxCreations,omitempty"`
	DeviceCodeEntries *int `json:"deviceCodeEntries,omitempty"`
	// RateLimit is the number of token requests an hour; 0 is no limit.
	RateLimit *int `json:"rateLimit,omitempty"`
	// Installations replaces all of them.
	Installations []Installation `json:"installations,omitempty"`
	WebhookURL    *string        `json:"webhookURL,omitempty"`
	WebhookSecret *string        `json:"webhookSecret,omitempty"`
}

func (s *Server) adminChangeApp(r *http.Request) (any, error) {
	var change AppChange
	if err := readJSON(r, &change); err != nil {
		return nil, err
	}
	access, err := duration("accessTokenLifetime", change.AccessTokenLifetime)
	if err != nil {
		return nil, err
	}
	refresh, err := duration("refreshTokenLifetime", change.RefreshTokenLifetime)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("client_id")
	if !s.hasApp(id) {
		return nil, notFound("there is no App %q", id)
	}
	s.UpdateApp(id, func(a *App) {
		set(&a.AccessTokenLifetime, access)
		set(&a.RefreshTokenLifetime, refresh)
		set(&a.DeviceFlow, change.DeviceFlow)
		set(&a.Suspended, change.Suspended)
		set(&a.NoExpiry, change.NoExpiry)
		set(&a.NumbersAsStrings, change.NumbersAsStrings)
		set(&a.MaxTokens, change.MaxTokens)
		set(&a.MaxCreations, change.MaxCreations)
		set(&a.DeviceCodeEntries, change.DeviceCodeEntries)
		set(&a.RateLimit.Limit, change.RateLimit)
		set(&a.WebhookURL, change.WebhookURL)
		set(&a.WebhookSecret, change.WebhookSecret)
		if change.Secrets != nil {
			a.Secrets = change.Secrets
		}
		if change.Installations != nil {
			a.Installations = change.Installations
		}
	})
	return adminOK, nil
}

// duration parses an optional duration of more than zero.
func duration(name string, text *string) (*time.Duration, error) {
	if text == nil {
		return nil, nil
	}
	d, err := time.ParseDuration(*text)
	if err != nil || d <= 0 {
		return nil, badRequest("%s: not a duration of more than zero, such as 30s", name)
	}
	return &d, nil
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

func (s *Server) hasApp(clientID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[clientID] != nil
}

func (s *Server) adminApps() any {
	type view struct {
		ClientID             string `json:"clientID"`
		Name                 string `json:"name"`
		Kind                 Kind   `json:"kind"`
		DeviceFlow           bool   `json:"deviceFlow"`
		NoExpiry             bool   `json:"noExpiry"`
		AccessTokenLifetime  string `json:"accessTokenLifetime"`
		RefreshTokenLifetime string `json:"refreshTokenLifetime"`
		RateLimit            int    `json:"rateLimit"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []view{}
	for _, a := range s.apps {
		out = append(out, view{
			a.ClientID, a.Name, a.Kind, a.DeviceFlow, a.NoExpiry,
			a.AccessTokenLifetime.String(), a.RefreshTokenLifetime.String(), a.RateLimit.Limit,
		})
	}
	slices.SortFunc(out, func(a, b view) int { return strings.Compare(a.ClientID, b.ClientID) })
	return out
}

// pairJSON is a pair with its tokens, named as the token endpoint names them.
type pairJSON struct {
	AccessToken           string    `json:"access_token"`
	RefreshToken          string    `json:"refresh_token,omitempty"`
	AccessTokenExpiresAt  time.Time `json:"expires_at,omitzero"`
	RefreshTokenExpiresAt time.Time `json:"refresh_token_expires_at,omitzero"`
	Scope                 string    `json:"scope"`
	ClientID              string    `json:"client_id"`
	User                  string    `json:"user"`
	UserID                int64     `json:"user_id"`
}

func (p Pair) json() pairJSON {
	return pairJSON{
		p.AccessToken, p.RefreshToken, p.AccessTokenExpiresAt, p.RefreshTokenExpiresAt,
		p.Scope, p.ClientID, p.User.Login, p.User.ID,
	}
}

func (s *Server) adminMint(r *http.Request) (any, error) {
	app, user := r.URL.Query().Get("app"), r.URL.Query().Get("user")
	if !s.hasApp(app) {
		return nil, notFound("there is no App %q", app)
	}
	if user == "" {
		return nil, badRequest("name the user: /mint?app=…&user=…")
	}
	device, _ := strconv.ParseBool(r.URL.Query().Get("device"))
	if r.ContentLength != 0 {
		return s.adminAdopt(r, app, user)
	}
	minted := s.mint(app, user, device)
	if r.URL.Query().Get("only") == "refresh_token" {
		return plainText(minted.RefreshToken), nil
	}
	return minted.json(), nil
}

func (s *Server) adminAdopt(r *http.Request, app, user string) (any, error) {
	var body struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	adopted, err := s.Adopt(app, user, body.RefreshToken)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return adopted.json(), nil
}

func (s *Server) adminRevoke(r *http.Request) (any, error) {
	if app := r.URL.Query().Get("app"); app != "" {
		if user := r.URL.Query().Get("user"); !s.RevokeGrant(app, user) {
			return nil, notFound("the user %q has nothing to revoke for the App %q", user, app)
		}
		return adminOK, nil
	}
	token, err := readToken(r)
	if err != nil {
		return nil, err
	}
	if !s.Revoke(token) {
		return nil, errNoSuchToken
	}
	return adminOK, nil
}

func (s *Server) adminExpire(r *http.Request) (any, error) {
	token, err := readToken(r)
	if err != nil {
		return nil, err
	}
	if !s.Expire(token) {
		return nil, errNoSuchToken
	}
	return adminOK, nil
}

func (s *Server) adminState(r *http.Request) (any, error) {
	token, err := readToken(r)
	if err != nil {
		return nil, err
	}
	state, known := s.StateOf(token)
	if !known {
		return nil, adminError{http.StatusNotFound, "this token was never issued here"}
	}
	return state, nil
}

func (s *Server) adminChains(r *http.Request) (any, error) {
	type revealed struct {
		Chain
		Pair pairJSON `json:"pair"`
	}
	query := r.URL.Query()
	chains := slices.DeleteFunc(s.Chains(), func(c Chain) bool {
		return query.Has("app") && query.Get("app") != c.ClientID || query.Has("user") && !strings.EqualFold(query.Get("user"), c.User)
	})
	if !query.Has("reveal") {
		return emptyNotNull(chains), nil
	}
	out := []revealed{}
	for _, c := range chains {
		out = append(out, revealed{c, c.Pair.json()})
	}
	return out, nil
}

func (s *Server) adminPresentations(r *http.Request) (any, error) {
	wanted := r.URL.Query().Get("fingerprint")
	return slices.DeleteFunc(s.Presentations(), func(p Presentation) bool {
		return !strings.HasPrefix(p.Fingerprint, wanted)
	}), nil
}

func (s *Server) adminApprove(r *http.Request) (any, error) {
	user := r.URL.Query().Get("user")
	if user == "" {
		return nil, badRequest("name the user: /devices/approve?code=…&user=…")
	}
	return adminOK, asNotFound(s.ApproveDevice(r.URL.Query().Get("code"), user))
}

func (s *Server) adminDeny(r *http.Request) (any, error) {
	return adminOK, asNotFound(s.DenyDevice(r.URL.Query().Get("code")))
}

func asNotFound(err error) error {
	if err != nil {
		return adminError{http.StatusNotFound, err.Error()}
	}
	return nil
}

func (s *Server) adminRedeliver(r *http.Request) (any, error) {
	if !s.Redeliver(r.PathValue("id")) {
		return nil, notFound("there is no such delivery")
	}
	return adminOK, nil
}

// Summary counts what happened.
type Summary struct {
	Chains        int `json:"chains"`
	Presentations int `json:"presentations"`
	Exchanges     int `json:"exchanges"`
	DoubleSpends  int `json:"doubleSpends"`
	Violations    int `json:"violations"`
	// Outcomes counts the presentations by what came of them.
	Outcomes map[Outcome]int `json:"outcomes"`
}

// Summary counts what happened so far.
func (s *Server) Summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := Summary{
		Chains: len(s.chains), Presentations: len(s.ledger.all), Exchanges: len(s.ledger.committed),
		DoubleSpends: len(s.ledger.doubleSpends), Violations: len(s.ledger.violations), Outcomes: map[Outcome]int{},
	}
	for _, p := range s.ledger.all {
		sum.Outcomes[p.Outcome]++
	}
	return sum
}
