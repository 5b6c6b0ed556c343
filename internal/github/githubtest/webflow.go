package githubtest

import (
	"net/http"
	"net/url"
	"strings"
)

// authorization is a request to GET /login/oauth/authorize, understood.
type authorization struct {
	app         *App
	redirectURI string
	state       string
	challenge   string
	scope       string
	problem     oauthError // sent to redirectURI
}

// readAuthorization returns nil if there is no such App or nowhere to redirect to. The caller holds the lock.
func (s *Server) readAuthorization(query url.Values) *authorization {
	app := s.apps[query.Get("client_id")]
	if app == nil || len(app.CallbackURLs) == 0 {
		return nil
	}
	a := &authorization{
		app:         app,
		redirectURI: query.Get("redirect_uri"),
		state:       query.Get("state"),
		challenge:   query.Get("code_challenge"),
		scope:       scopeOf(app, query.Get("scope")),
	}
	def(&a.redirectURI, app.CallbackURLs[0])
	switch {
	case !app.allowsRedirect(a.redirectURI):
		a.redirectURI, a.problem = app.CallbackURLs[0], redirectURIMismatch
	case app.Suspended:
		a.problem = applicationSuspended
	case a.challenge != "" && (query.Get("code_challenge_method") != "S256" || !codeChallenge.MatchString(a.challenge)):
		a.problem = invalidRequest
	}
	return a
}

// allowsRedirect compares a redirect URI with the registered ones. A GitHub App has to name one of them exactly; for an
// OAuth App the host must be the same and the path the same or one below. The port of a loopback address may be free, for
// command line tools listen where they can; localhost is none.
func (a *App) allowsRedirect(uri string) bool {
	asked, err := url.Parse(uri)
	if err != nil {
		return false
	}
	oauthApp := a.Kind == OAuthApp
	for _, callback := range a.CallbackURLs {
		registered, err := url.Parse(callback)
		if err != nil || asked.Scheme != registered.Scheme {
			continue
		}
		loopback := (oauthApp || a.AnyLoopbackPort) && (asked.Hostname() == "127.0.0.1" || asked.Hostname() == "::1")
		if asked.Host != registered.Host && (!loopback || asked.Hostname() != registered.Hostname()) {
			continue
		}
		if asked.Path == registered.Path && asked.RawQuery == registered.RawQuery {
			return true
		}
		parent := strings.TrimSuffix(registered.Path, "/")
		if oauthApp && (asked.Path == parent || strings.HasPrefix(asked.Path, parent+"/")) {
			return true
		}
	}
	return false
}

// back is the redirect URI with these parameters and the state.
func (a *authorization) back(parameters url.Values) string {
	target, err := url.Parse(a.redirectURI)
	if err != nil {
		return "/"
	}
	query := target.Query()
	for name := range parameters {
		query.Set(name, parameters.Get(name))
	}
	if a.state != "" {
		query.Set("state", a.state)
	}
	target.RawQuery = query.Encode()
	return target.String()
}

func (a *authorization) refused(code oauthError, text string) string {
	return a.back(url.Values{"error": {string(code)}, "error_description": {text}})
}

// approve makes the code. The caller holds the lock.
func (s *Server) approve(a *authorization, user *User) string {
	code := s.randomString(hexadecimal, 20)
	s.codes[code] = &authorizationCode{
		app: a.app, user: user, redirectURI: a.redirectURI, challenge: a.challenge, scope: a.scope,
		expires: s.now().Add(AuthorizationCodeLifetime),
	}
	return a.back(url.Values{"code": {code}})
}

// authorizePage is GET /login/oauth/authorize: the consent page, or at once the redirect if no consent is needed.
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	session := s.session(r)
	s.mu.Lock()
	a := s.readAuthorization(query)
	s.inspectAuthorization(a)
	var next string
	var p page
	switch {
	case a == nil:
	case a.problem != "":
		next = a.refused(a.problem, oauthErrorText[a.problem])
	case a.app.AutoApprove:
		next = s.approve(a, s.autoApprover(session, query.Get("login")))
	case session == nil, query.Get("prompt") == "select_account", a.picks() && query.Get("picked") == "":
		query.Del("prompt")
		query.Set("picked", "1")
		next = "/login?" + url.Values{
			"return_to": {r.URL.Path + "?" + query.Encode()}, "login": {query.Get("login")},
		}.Encode()
	case query.Get("prompt") != "consent" && s.authorized(a.app, session.ID) && !s.tooManyCreations(a.app, session, a.scope):
		next = s.approve(a, s.ensureUser(session.Login))
	default:
		p = a.consentPage(r, session)
	}
	s.mu.Unlock()

	switch {
	case a == nil:
		notRegistered(w)
	case next != "":
		http.Redirect(w, r, next, http.StatusFound)
	default:
		show(w, http.StatusOK, "authorize", p)
	}
}

// inspectAuthorization notes what a strict server holds against an authorization. The caller holds the lock.
func (s *Server) inspectAuthorization(a *authorization) {
	if a == nil {
		return
	}
	note := func(rule Rule) {
		s.ledger.violations = append(s.ledger.violations, Violation{At: s.now(), Rule: rule, ClientID: a.app.ClientID})
	}
	if a.state == "" {
		note(MissingState)
	}
	if a.challenge == "" {
		note(MissingChallenge)
	}
}

// picks reports whether the account picker is shown to whoever is signed in already.
func (a *authorization) picks() bool {
	return a.app.InsecureCallbacksPick && !strings.HasPrefix(a.redirectURI, "https://")
}

// autoApprover is who approves without a page: the session's account, else the one hinted at, else octocat.
func (s *Server) autoApprover(session *User, hint string) *User {
	def(&hint, "octocat")
	if session != nil {
		hint = session.Login
	}
	return s.ensureUser(hint)
}

func (a *authorization) consentPage(r *http.Request, user *User) page {
	host := a.redirectURI
	if target, err := url.Parse(a.redirectURI); err == nil {
		host = target.Host
	}
	return page{
		Heading: "Authorize " + a.app.Name, App: a.app.Name, User: user.Login,
		Here: r.URL.RequestURI(), RedirectHost: host,
	}
}

func notRegistered(w http.ResponseWriter) {
	show(w, http.StatusNotFound, "message", page{
		Heading: "404", Text: "There is no App of this client id, or it has no callback URL.",
	})
}

// decideAuthorization is what the buttons of the consent page post to.
func (s *Server) decideAuthorization(w http.ResponseWriter, r *http.Request, user *User) {
	s.mu.Lock()
	a := s.readAuthorization(r.URL.Query())
	var next string
	switch {
	case a == nil:
	case a.problem != "":
		next = a.refused(a.problem, oauthErrorText[a.problem])
	case r.PostFormValue("decision") == "authorize":
		next = s.approve(a, s.ensureUser(user.Login))
	default:
		next = a.refused(accessDenied, "The user has denied your application access.")
	}
	s.mu.Unlock()
	if a == nil {
		notRegistered(w)
		return
	}
	http.Redirect(w, r, next, http.StatusFound)
}
