package loopback

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Ports are those that are tried, in this order. Each that is to work must be registered in the App, since GitHub Apps take callback
// URLs that match exactly.
var Ports = []int{8976, 8977, 8978}

const (
	callbackPath = "/callback"
	// These three are followed by a slash and the ticket of the server.
	donePath   = "/done"
	deniedPath = "/denied"
	failedPath = "/failed"
	// mostCode is how long a code may be.
	mostCode = 512
)

// Deliver hands a code on. Its error is not shown in the browser.
type Deliver func(ctx context.Context, code string) error

// DeniedError is what GitHub sends back in place of a code.
type DeniedError struct{ Reason string }

// Error says that the person, or the App, does not allow the login.
func (e *DeniedError) Error() string {
	if e.Reason == "access_denied" {
		return "the login was cancelled at GitHub"
	}
	return "GitHub does not go on with the login: " + e.Reason
}

// Server waits for the browser.
type Server struct {
	listener net.Listener
	server   *http.Server
	base     string
	// ticket is what nobody can guess in the addresses of the last pages. It is told to the browser alone that has brought the answer: any
	// process of this machine can ask here, and who has logged in where is not its affair.
	ticket string
	// closed ends when the server is closed.
	closed context.Context
	close  context.CancelFunc

	mu       sync.Mutex
	state    string
	deliver  Deliver
	used     bool
	outcome  chan error
	shown    chan struct{}
	showOnce sync.Once
	// result is what came of the login, once finished ends.
	result     result
	finished   chan struct{}
	finishOnce sync.Once
}

// result is what the last page says; the zero result is that nobody knows.
type result struct {
	known, good bool
	text        string
}

// Listen listens on the first of the ports that is free.
func Listen(ports []int) (*Server, error) {
	var errs []error
	for _, port := range ports {
		listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		return serve(listener), nil
	}
	return nil, fmt.Errorf("no port is free for the browser to come back to: %w", errors.Join(errs...))
}

// answerWithin is longer than any answer takes. What is written after it reaches no browser.
const answerWithin = deliverTimeout + 30*time.Second

func serve(listener net.Listener) *Server {
	s := &Server{
		listener: listener, base: "http://" + listener.Addr().String(), ticket: rand.Text(),
		outcome: make(chan error, 1), shown: make(chan struct{}), finished: make(chan struct{}),
	}
	s.closed, s.close = context.WithCancel(context.Background())
	s.server = &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: answerWithin, MaxHeaderBytes: 16 << 10,
	}
	go func() { _ = s.server.Serve(listener) }() // Always ErrServerClosed.
	return s
}

// CallbackURL is where GitHub is to send the browser.
func (s *Server) CallbackURL() string { return s.base + callbackPath }

// Expect begins to take the code of the login with this state.
func (s *Server) Expect(state string, deliver Deliver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.deliver = state, deliver
}

// Outcome tells, once, whether a code was delivered: nil, or why not.
func (s *Server) Outcome() <-chan error { return s.outcome }

// Finish has the last page say what came of the login, in the words of the terminal.
func (s *Server) Finish(good bool, text string) {
	s.finish(result{known: true, good: good, text: text})
}

func (s *Server) finish(r result) {
	s.finishOnce.Do(func() {
		s.result = r
		close(s.finished)
	})
}

// Close ends the server. A browser that is on its way to the last page gets it, within a moment.
func (s *Server) Close() {
	s.finish(result{}) // Whoever waits for it learns no more.
	s.mu.Lock()
	used := s.used
	s.mu.Unlock()
	if used {
		select {
		case <-s.shown:
		case <-time.After(2 * time.Second):
		}
	}
	s.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close()
	}
}

// ServeHTTP answers the browser. Whoever asks by another name than the address is led here by somebody else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	strict(w.Header())
	switch {
	case r.Host != s.listener.Addr().String():
		page(w, http.StatusMisdirectedRequest, "Not here", "This address is for one login alone.")
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		page(w, http.StatusMethodNotAllowed, "Not so", "This address is for one login alone.")
	case r.URL.Path == callbackPath:
		s.callback(w, r)
	case s.isLast(r.URL.Path, donePath):
		s.done(w, r)
		s.showOnce.Do(func() { close(s.shown) })
	case s.isLast(r.URL.Path, deniedPath):
		page(w, http.StatusOK, "There was no login", "GitHub has sent you back without an authorization, so nothing was handed over. You may close this page. The terminal tells why, and how to begin anew.")
		s.showOnce.Do(func() { close(s.shown) })
	case s.isLast(r.URL.Path, failedPath):
		page(w, http.StatusOK, "That did not work", "You may close this page. Why is told in the terminal.")
		s.showOnce.Do(func() { close(s.shown) })
	default:
		page(w, http.StatusNotFound, "Nothing is here", "This address is for one login alone.")
	}
}

// isLast reports whether a path is that of a last page, as the browser that has brought the answer was told it.
func (s *Server) isLast(path, page string) bool {
	ticket, ok := strings.CutPrefix(path, page+"/")
	return ok && subtle.ConstantTimeCompare([]byte(ticket), []byte(s.ticket)) == 1
}

// resultWait is for how long the last page waits for what came of the login. It is less than answerWithin.
const resultWait = 20 * time.Second

// done is the last page: what came of the login, if that is known in time.
func (s *Server) done(w http.ResponseWriter, r *http.Request) {
	wait := time.NewTimer(resultWait)
	defer wait.Stop()
	came := result{}
	select {
	case <-s.finished:
		came = s.result
	case <-wait.C:
	case <-r.Context().Done():
	}
	const back = "You can close this page, and go back to the terminal."
	switch {
	case !came.known:
		page(w, http.StatusOK, "Thank you", "The operator has the answer of GitHub. "+back+" There you see whether the login has worked.")
	case came.good:
		page(w, http.StatusOK, "You are logged in", html.EscapeString(came.text)+" "+back)
	default:
		page(w, http.StatusOK, "The login came to nothing", back+" There you see why, and how to begin anew.")
	}
}

// callback takes the code. What has not the state changes nothing: the login goes on waiting.
func (s *Server) callback(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		query = nil
	}
	deliver, verdict := s.take(query)
	switch verdict {
	case isOurs:
	case isUsed:
		page(w, http.StatusGone, "Used already", "This login has been answered. You may close this page.")
		return
	default:
		page(w, http.StatusBadRequest, "Another login", "This answer belongs to another login, so it was not used. Go back to the page that the terminal names.")
		return
	}
	to := donePath
	if reason := query.Get("error"); reason != "" {
		err, to = &DeniedError{Reason: word(reason)}, deniedPath
	} else if err = s.handOn(r, deliver, query.Get("code")); err != nil {
		to = failedPath
	}
	s.outcome <- err
	// Off the address with the code, so that history and referrer hold no other than a used one.
	http.Redirect(w, r, to+"/"+s.ticket, http.StatusSeeOther)
}

// deliverTimeout is for how long a code is tried to be handed on.
const deliverTimeout = time.Minute

// handOn hands a code on, also when the browser goes away meanwhile: there is no other code for this login.
func (s *Server) handOn(r *http.Request, deliver Deliver, code string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), deliverTimeout)
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()
	return deliver(ctx, code)
}

type verdict int

const (
	isForeign verdict = iota
	isOurs
	isUsed
)

// take judges an answer, and has every later one be used.
func (s *Server) take(query url.Values) (Deliver, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == "" || len(query["state"]) != 1 || subtle.ConstantTimeCompare([]byte(query["state"][0]), []byte(s.state)) != 1 {
		return nil, isForeign
	}
	code, failure := query["code"], query["error"]
	if len(code)+len(failure) != 1 || len(code) == 1 && !isCode(code[0]) {
		return nil, isForeign
	}
	if s.used {
		return nil, isUsed
	}
	s.used = true
	return s.deliver, isOurs
}

// isCode reports whether a text can be a code of GitHub's.
func isCode(text string) bool {
	if text == "" || len(text) > mostCode {
		return false
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// word is an error code of OAuth as it may be printed.
func word(text string) string {
	if len(text) > 40 {
		return "an unknown error"
	}
	for _, c := range text {
		if c != '_' && (c < 'a' || c > 'z') {
			return "an unknown error"
		}
	}
	return text
}
