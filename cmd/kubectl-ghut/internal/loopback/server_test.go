package loopback

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const state = "the-state-of-this-login"

// listen starts a server on a port that is free, which notes what is delivered.
func listen(t *testing.T, fail error) (*Server, *[]string) {
	t.Helper()
	s, err := Listen([]int{0})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.showOnce.Do(func() { close(s.shown) }) // No browser comes for the last page.
		s.Close()
	})
	var delivered []string
	s.Expect(state, func(_ context.Context, code string) error {
		delivered = append(delivered, code)
		return fail
	})
	return s, &delivered
}

// answer is what a browser gets.
type answer struct {
	StatusCode int
	Status     string
	Header     http.Header
}

// visit asks as a browser does, without following redirects.
func visit(t *testing.T, method, address string, change func(*http.Request)) (answer, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Status, response.Header}, string(body)
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}

func TestLoopbackTakesTheCodeOnceAndLeadsOffItsAddress(t *testing.T) {
	s, delivered := listen(t, nil)
	response, body := visit(t, http.MethodGet, s.CallbackURL()+query("code", "c0de", "state", state), nil)
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "/done/"+s.ticket {
		t.Errorf("it answers %s, to %q", response.Status, response.Header.Get("Location"))
	}
	if err := <-s.Outcome(); err != nil || len(*delivered) != 1 || (*delivered)[0] != "c0de" {
		t.Errorf("delivered %q (%v)", *delivered, err)
	}
	if strings.Contains(body, "c0de") || strings.Contains(body, state) {
		t.Error("the page holds the code or the state")
	}
	s.Finish(true, "Logged in.")
	response, body = visit(t, http.MethodGet, s.base+"/done/"+s.ticket, nil)
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "You can close this page") {
		t.Errorf("the last page is %s: %s", response.Status, body)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	// A replay, by a reload or by somebody who has read the history.
	if response, _ = visit(t, http.MethodGet, s.CallbackURL()+query("code", "c0de", "state", state), nil); response.StatusCode != http.StatusGone || len(*delivered) != 1 {
		t.Errorf("the second time it answers %s, and delivers %d codes", response.Status, len(*delivered))
	}
}

func TestLoopbackTakesNoAnswerOfAnotherLogin(t *testing.T) {
	for name, c := range map[string]struct {
		method, query string
		change        func(*http.Request)
		status        int
	}{
		"without a state":             {query: query("code", "c"), status: http.StatusBadRequest},
		"with another state":          {query: query("code", "c", "state", "f0reign"), status: http.StatusBadRequest},
		"with the beginning of it":    {query: query("code", "c", "state", state[:5]), status: http.StatusBadRequest},
		"with two states":             {query: query("code", "c", "state", state, "state", "f0reign"), status: http.StatusBadRequest},
		"with two codes":              {query: query("code", "c", "code", "d", "state", state), status: http.StatusBadRequest},
		"without a code":              {query: query("state", state), status: http.StatusBadRequest},
		"with a code and an error":    {query: query("code", "c", "error", "access_denied", "state", state), status: http.StatusBadRequest},
		"with a code of two lines":    {query: query("code", "c\nd", "state", state), status: http.StatusBadRequest},
		"with a code that is long":    {query: query("code", strings.Repeat("c", 600), "state", state), status: http.StatusBadRequest},
		"with a query that is broken": {query: "?code=c;state=" + state, status: http.StatusBadRequest},
		"by a form":                   {method: http.MethodPost, query: query("code", "c", "state", state), status: http.StatusMethodNotAllowed},
		"by another name of this machine": {query: query("code", "c", "state", state), status: http.StatusMisdirectedRequest,
			change: func(r *http.Request) { r.Host = "localhost.evil.example" }},
	} {
		t.Run(name, func(t *testing.T) {
			s, delivered := listen(t, nil)
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			response, body := visit(t, method, s.CallbackURL()+c.query, c.change)
			if response.StatusCode != c.status || len(*delivered) > 0 || strings.Contains(body, "f0reign") {
				t.Errorf("it answers %s, and delivers %q", response.Status, *delivered)
			}
			// And the right one is taken all the same.
			if response, _ = visit(t, http.MethodGet, s.CallbackURL()+query("code", "c", "state", state), nil); response.StatusCode != http.StatusSeeOther {
				t.Errorf("the right answer gets %s", response.Status)
			}
		})
	}
	s, err := Listen([]int{0})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if response, _ := visit(t, http.MethodGet, s.CallbackURL()+query("code", "c", "state", ""), nil); response.StatusCode != http.StatusBadRequest {
		t.Errorf("before the login is known it answers %s", response.Status)
	}
}

func TestLoopbackTellsWhyThereIsNoCode(t *testing.T) {
	for reason, want := range map[string]string{
		"access_denied": "the login was cancelled at GitHub", "redirect_uri_mismatch": "GitHub does not go on with the login: redirect_uri_mismatch",
		"<script>": "GitHub does not go on with the login: an unknown error",
	} {
		s, delivered := listen(t, nil)
		response, _ := visit(t, http.MethodGet, s.CallbackURL()+query("error", reason, "error_description", "<b>", "state", state), nil)
		if err := <-s.Outcome(); err == nil || err.Error() != want || len(*delivered) > 0 || response.Header.Get("Location") != "/denied/"+s.ticket {
			t.Errorf("of %q it tells %v", reason, err)
		}
	}
	refused := errors.New("you may not create secrets")
	s, _ := listen(t, refused)
	response, _ := visit(t, http.MethodGet, s.CallbackURL()+query("code", "c", "state", state), nil)
	if err := <-s.Outcome(); !errors.Is(err, refused) || response.Header.Get("Location") != "/failed/"+s.ticket {
		t.Errorf("a code that could not be handed on is told as %v", err)
	}
}

func TestLoopbackTakesTheNextPortThatIsFree(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	s, err := Listen([]int{port, 0})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.CallbackURL(), "http://127.0.0.1:") || !strings.HasSuffix(s.CallbackURL(), "/callback") {
		t.Errorf("the browser comes back to %s", s.CallbackURL())
	}
	if _, err := Listen([]int{port}); err == nil || !strings.Contains(err.Error(), "no port is free") {
		t.Errorf("with no port it says %v", err)
	}
}

// The browser is closed, or its page loaded anew, while the code is being handed on: there is no other code for this login.
func TestLoopbackHandsTheCodeOnAlthoughTheBrowserGoesAway(t *testing.T) {
	s, _ := listen(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	s.Expect(state, func(ctx context.Context, _ string) error {
		leave()
		return ctx.Err()
	})
	come(ctx, s)
	if err := <-s.Outcome(); err != nil {
		t.Errorf("the code that has reached us is given up: %v", err)
	}
}

func TestLoopbackGivesTheCodeUpWhenTheCommandEnds(t *testing.T) {
	s, _ := listen(t, nil)
	s.Expect(state, func(ctx context.Context, _ string) error {
		s.close()
		<-ctx.Done()
		return ctx.Err()
	})
	come(t.Context(), s)
	if err := <-s.Outcome(); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// come has a browser come back.
func come(ctx context.Context, s *Server) {
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, callbackPath+query("code", "c", "state", state), nil)
	request.Host = s.listener.Addr().String()
	s.ServeHTTP(httptest.NewRecorder(), request)
}

// The last page tells what came of the login, and that the terminal is the place to go on.
func TestLoopbackLastPageTellsWhatCameOfTheLogin(t *testing.T) {
	const back = "You can close this page, and go back to the terminal."
	for name, c := range map[string]struct {
		end  func(*Server)
		says []string
	}{
		"a login":           {func(s *Server) { s.Finish(true, "Logged in as <octocat>.") }, []string{"<h1>You are logged in</h1>", "Logged in as &lt;octocat&gt;. " + back}},
		"none":              {func(s *Server) { s.Finish(false, "a reason") }, []string{"<h1>The login came to nothing</h1>", back + " There you see why"}},
		"nobody has waited": {func(s *Server) { s.finish(result{}) }, []string{"<h1>Thank you</h1>", back + " There you see whether the login has worked"}},
	} {
		s, _ := listen(t, nil)
		page := make(chan string, 1)
		go func() {
			_, body := visit(t, http.MethodGet, s.base+"/done/"+s.ticket, nil) // It waits.
			page <- body
		}()
		c.end(s)
		body := <-page
		for _, says := range c.says {
			if !strings.Contains(body, says) {
				t.Errorf("after %s it does not say %q: %s", name, says, body)
			}
		}
	}
}
