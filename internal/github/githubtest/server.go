package githubtest

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a GitHub. Make it with New; all methods may be called concurrently.
type Server struct {
	oauth http.Handler // pages and OAuth endpoints
	rest  http.Handler // the REST API

	done      chan struct{} // closed by Close: nothing is held any longer
	closeOnce sync.Once
	requests  atomic.Int64   // answered, for X-GitHub-Request-Id
	work      sync.WaitGroup // webhooks on their way

	ownClock bool // answers bear the time of options.Clock, as those of a server whose clock that is
	mu       sync.Mutex
	options  Options
	random   *bufio.Reader
	ca       *CA
	apps     map[string]*App
	users    map[string]*User // by lower-case login
	tokens   map[string]*pair // by either token
	grants   map[grantKey]*grant
	newest   map[grantKey]*pair // scope left empty
	chains   []*chain
	ledger   ledger
	// injected are all faults ever, by number; faults those that are not used up.
	injected, faults []*Injection
	windows          map[string]*window
	badAuth          map[string]*badCredentials
	devices          map[string]*device // by device code
	codes            map[string]*authorizationCode
	cookies          map[string]*User // sessions of the pages
	hooks            []*Delivery
}

// New makes a GitHub. It panics if two Apps or two users of the options bear the same name, as a test would not mean it.
func New(options Options) *Server {
	def(&options.ErrorStatus, http.StatusOK)
	def(&options.BadCredentialsPause, time.Minute)
	def(&options.RevokeLimit, DefaultRevokeLimit)
	ownClock := options.Clock != nil
	if !ownClock {
		options.Clock = time.Now
	}
	if options.Random == nil {
		options.Random = rand.Reader
	}
	if options.WebhookClient == nil {
		options.WebhookClient = &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // see Options
		}
	}
	s := &Server{
		done:    make(chan struct{}),
		options: options, ownClock: ownClock,
		random:  bufio.NewReaderSize(options.Random, 512),
		apps:    map[string]*App{},
		users:   map[string]*User{},
		tokens:  map[string]*pair{},
		grants:  map[grantKey]*grant{},
		newest:  map[grantKey]*pair{},
		ledger:  ledger{byFingerprint: map[string][]*Presentation{}},
		windows: map[string]*window{},
		badAuth: map[string]*badCredentials{},
		devices: map[string]*device{},
		codes:   map[string]*authorizationCode{},
		cookies: map[string]*User{},
	}
	s.oauth, s.rest = s.oauthRoutes(), s.restRoutes()
	for _, app := range options.Apps {
		s.AddApp(app)
	}
	for _, user := range options.Users {
		s.AddUser(user)
	}
	return s
}

// Close releases every request that a fault holds and waits for webhooks on their way. A Site is closed on its own.
func (s *Server) Close() {
	s.closeOnce.Do(func() { close(s.done) })
	s.work.Wait()
}

// Configure changes the options of a running Server. Apps, Users and Random stay as they are: see AddApp, UpdateApp and
// AddUser.
func (s *Server) Configure(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.options)
}

// AddApp registers an App. It panics if there is one of that client id.
func (s *Server) AddApp(app App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if app.ClientID == "" || s.apps[app.ClientID] != nil {
		panic(fmt.Sprintf("githubtest: the client id %q is empty or taken", app.ClientID))
	}
	app.check()
	app = app.withDefaults()
	s.apps[app.ClientID] = &app
}

// UpdateApp changes a registered App, for instance to rotate its secrets or to shorten lifetimes. Tokens that were
// issued before keep their lifetime. It panics if there is no such App.
func (s *Server) UpdateApp(clientID string, change func(*App)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app := s.mustApp(clientID)
	change(app)
	app.check()
	*app = app.withDefaults()
}

// AddUser adds an account and returns it with its number. It panics if there is one of that login.
func (s *Server) AddUser(user User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user.Login == "" || s.users[strings.ToLower(user.Login)] != nil {
		panic(fmt.Sprintf("githubtest: the login %q is empty or taken", user.Login))
	}
	return *s.addUser(user)
}

// UpdateUser changes an account, for instance its login. It panics if there is no such account.
func (s *Server) UpdateUser(login string, change func(*User)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user := s.users[strings.ToLower(login)]
	if user == nil {
		panic(fmt.Sprintf("githubtest: there is no user %q", login))
	}
	delete(s.users, strings.ToLower(login))
	change(user)
	s.users[strings.ToLower(user.Login)] = user
}

// maxCallbackURLs is how many callback URLs an App can have.
const maxCallbackURLs = 10

// check panics if an App is none that could be registered.
func (a *App) check() {
	if len(a.CallbackURLs) > maxCallbackURLs {
		panic(fmt.Sprintf("githubtest: the App %q has more than %d callback URLs", a.ClientID, maxCallbackURLs))
	}
}

func (s *Server) addUser(user User) *User {
	if user.ID == 0 {
		for _, other := range s.users {
			user.ID = max(user.ID, other.ID)
		}
		user.ID++
	}
	s.users[strings.ToLower(user.Login)] = &user
	return &user
}

// ensureUser returns the account, made new if need be.
func (s *Server) ensureUser(login string) *User {
	if user := s.users[strings.ToLower(login)]; user != nil {
		return user
	}
	return s.addUser(User{Login: login})
}

func (s *Server) mustApp(clientID string) *App {
	app := s.apps[clientID]
	if app == nil {
		panic(fmt.Sprintf("githubtest: there is no App %q; add it with AddApp", clientID))
	}
	return app
}

func (s *Server) now() time.Time { return s.options.Clock() }

// ServeHTTP answers as the host that the request names.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(hostname(r.Host))
	w.Header().Set("Server", "github.com")
	if s.ownClock {
		w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	}
	w.Header().Set("X-GitHub-Request-Id", "STAND:"+strconv.FormatInt(s.requests.Add(1), 10))
	switch {
	case host == "":
		http.Error(w, "missing Host header", http.StatusBadRequest)
	case host == "api.github.com", strings.HasPrefix(host, "api.") && strings.HasSuffix(host, ".ghe.com"):
		s.rest.ServeHTTP(w, r)
	case host != "github.com" && !strings.HasSuffix(host, ".ghe.com") && strings.HasPrefix(r.URL.Path, "/api/v3/"):
		http.StripPrefix("/api/v3", s.rest).ServeHTTP(w, r)
	default:
		s.oauth.ServeHTTP(w, r)
	}
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}
