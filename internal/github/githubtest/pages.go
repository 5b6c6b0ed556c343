package githubtest

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed pages.html
var pagesHTML string

var pageTemplates = template.Must(template.New("").Parse(pagesHTML))

// page is what the templates show.
type page struct {
	Title, Heading, Text, Error string
	// User is the login of the session, if there is one.
	User string
	// Here is where signing in as another account leads back to.
	Here string

	Users        []string // to choose from
	Chosen       string
	ReturnTo     string
	UserCode     string
	App          string
	RedirectHost string
	Apps         []authorizedApp
}

type authorizedApp struct{ ClientID, Name string }

// show sends a page.
func show(w http.ResponseWriter, status int, name string, p page) {
	if p.Title == "" {
		p.Title = p.Heading
	}
	var b bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&b, name, p); err != nil {
		http.Error(w, "cannot show this page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may have gone
}

func (s *Server) addPages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		show(w, http.StatusOK, "home", page{Heading: "A stand-in for GitHub", User: loginOf(s.session(r)), Here: "/"})
	})
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /session", s.signIn)
	mux.HandleFunc("GET /login/device", s.signedIn(s.devicePage))
	mux.HandleFunc("POST /login/device", s.signedIn(s.enterCode))
	mux.HandleFunc("POST /login/device/authorize", s.signedIn(s.decideDevice))
	mux.HandleFunc("GET /login/device/success", s.signedIn(messagePage("Congratulations, you're all set!", "Your device is now connected.")))
	mux.HandleFunc("GET /login/device/failure", s.signedIn(messagePage("Authorization cancelled", "Your device was not connected.")))
	mux.HandleFunc("GET /login/oauth/authorize", s.authorizePage)
	mux.HandleFunc("POST /login/oauth/authorize", s.signedIn(s.decideAuthorization))
	mux.HandleFunc("GET /settings/apps/authorizations", s.signedIn(s.authorizationsPage))
	mux.HandleFunc("POST /settings/apps/authorizations", s.signedIn(s.revokeAuthorization))
}

const sessionCookie = "user_session"

// session is the account that the browser is signed in to, or nil.
func (s *Server) session(r *http.Request) *User {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if user := s.cookies[cookie.Value]; user != nil {
		snapshot := *user
		return &snapshot
	}
	return nil
}

func loginOf(user *User) string {
	if user == nil {
		return ""
	}
	return user.Login
}

// signedIn sends a browser without a session to the login page first. What it posted is lost, so it comes back to the
// page with the form.
func (s *Server) signedIn(next func(http.ResponseWriter, *http.Request, *User)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := s.session(r)
		if user == nil {
			form := strings.Replace(r.URL.RequestURI(), "/login/device/authorize", "/login/device", 1)
			http.Redirect(w, r, "/login?"+url.Values{"return_to": {form}}.Encode(), http.StatusSeeOther)
			return
		}
		next(w, r, user)
	}
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var logins []string
	for _, user := range s.users {
		logins = append(logins, user.Login)
	}
	s.mu.Unlock()
	slices.Sort(logins)
	chosen := r.URL.Query().Get("login")
	if len(logins) > 0 && !slices.Contains(logins, chosen) {
		chosen = logins[0]
	}
	show(w, http.StatusOK, "login", page{
		Heading: "Sign in to the stand-in for GitHub", Users: logins, Chosen: chosen, ReturnTo: localPath(r.URL.Query().Get("return_to")),
	})
}

// localPath keeps a return address on this host.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, "\\") {
		return "/"
	}
	return path
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	login := strings.TrimSpace(r.PostFormValue("login"))
	if login == "" {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	s.mu.Lock()
	value := s.randomString(alphanumeric, 48)
	s.cookies[value] = s.ensureUser(login)
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, localPath(r.PostFormValue("return_to")), http.StatusSeeOther)
}

func messagePage(heading, text string) func(http.ResponseWriter, *http.Request, *User) {
	return func(w http.ResponseWriter, r *http.Request, user *User) {
		show(w, http.StatusOK, "message", page{Heading: heading, Text: text, User: user.Login, Here: "/login/device"})
	}
}

func (s *Server) devicePage(w http.ResponseWriter, r *http.Request, user *User) {
	show(w, http.StatusOK, "device", page{
		Heading: "Device activation", User: user.Login, Here: r.URL.RequestURI(), UserCode: r.URL.Query().Get("user_code"),
	})
}

// codeProblem is what the page says about a code that cannot be used.
func codeProblem(err error) string {
	if errors.Is(err, ErrUserCodeExpired) {
		return "This code has expired. Ask your device for a new one."
	}
	if errors.Is(err, ErrTooManyUserCodes) {
		return "Too many codes were entered for this App. Wait an hour and try again."
	}
	return "No device shows this code. Check it and enter it again."
}

func (s *Server) showCodeProblem(w http.ResponseWriter, r *http.Request, user *User, err error) {
	status := http.StatusUnprocessableEntity
	if errors.Is(err, ErrTooManyUserCodes) {
		status = http.StatusTooManyRequests
	}
	show(w, status, "device", page{
		Title: "Error: Device activation", Heading: "Device activation", Error: codeProblem(err),
		User: user.Login, Here: "/login/device", UserCode: r.PostFormValue("user_code"),
	})
}

func (s *Server) enterCode(w http.ResponseWriter, r *http.Request, user *User) {
	s.mu.Lock()
	d, err := s.enter(r.PostFormValue("user_code"))
	var p page
	if err == nil {
		p = page{
			Heading: "Authorize " + d.app.Name, User: user.Login, UserCode: d.userCode, App: d.app.Name,
			Here: "/login/device?" + url.Values{"user_code": {d.userCode}}.Encode(),
		}
	}
	s.mu.Unlock()
	if err != nil {
		s.showCodeProblem(w, r, user, err)
		return
	}
	show(w, http.StatusOK, "device-authorize", p)
}

func (s *Server) decideDevice(w http.ResponseWriter, r *http.Request, user *User) {
	var err error
	next := "/login/device/success"
	switch r.PostFormValue("decision") {
	case "continue":
		err = s.ApproveDevice(r.PostFormValue("user_code"), user.Login)
	default:
		err = s.DenyDevice(r.PostFormValue("user_code"))
		next = "/login/device/failure"
	}
	if err != nil {
		s.showCodeProblem(w, r, user, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (s *Server) authorizationsPage(w http.ResponseWriter, _ *http.Request, user *User) {
	show(w, http.StatusOK, "authorizations", page{
		Heading: "Authorized Apps", User: user.Login, Here: "/settings/apps/authorizations", Apps: s.authorizedApps(user),
	})
}

// authorizedApps are the Apps that hold a live token of the user.
func (s *Server) authorizedApps(user *User) []authorizedApp {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []authorizedApp
	for _, app := range s.apps {
		if s.authorized(app, user.ID) {
			out = append(out, authorizedApp{app.ClientID, app.Name})
		}
	}
	slices.SortFunc(out, func(a, b authorizedApp) int { return strings.Compare(a.ClientID, b.ClientID) })
	return out
}

// authorized reports whether the App holds a live token of the user. The caller holds the lock.
func (s *Server) authorized(app *App, userID int64) bool {
	now := s.now()
	for key, g := range s.grants {
		if key.clientID != app.ClientID || key.userID != userID {
			continue
		}
		for e := g.pairs.Front(); e != nil; e = e.Next() {
			if p := e.Value.(*pair); p.access.alive(now) || p.refresh.alive(now) {
				return true
			}
		}
	}
	return false
}

func (s *Server) revokeAuthorization(w http.ResponseWriter, r *http.Request, user *User) {
	s.RevokeGrant(r.PostFormValue("client_id"), user.Login)
	http.Redirect(w, r, "/settings/apps/authorizations", http.StatusSeeOther)
}
