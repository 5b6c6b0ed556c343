package hostile

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

const clientSecret = "5ca1ab1e0ddba115ca1ab1e0ddba115ca1ab1e0d"

// startGitHub serves the stand-in as github.com, in this process: so every token that it issues is known here.
func startGitHub() (stop func(), err error) {
	the.gh = githubtest.New(githubtest.Options{})
	caFile := the.stage.Path("github-ca.crt")
	if err := the.gh.CA().WriteFile(caFile); err != nil {
		return nil, err
	}
	certificate, err := the.gh.CA().Issue("127.0.0.1", "github.com", "api.github.com")
	if err != nil {
		return nil, err
	}
	the.calls = &calls{to: the.gh, tokens: map[string]int{}, others: map[string]int{}}
	server := httptest.NewUnstartedServer(the.calls)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that are killed are part of the play
	server.StartTLS()
	the.stage.UseGitHub(server.Listener.Addr().String(), caFile)
	return func() {
		the.gh.Close()
		server.Close()
	}, nil
}

// calls counts the requests that GitHub gets.
type calls struct {
	to http.Handler

	mu sync.Mutex
	// tokens are those at the token endpoint by client id, others all others by path.
	tokens, others map[string]int
	// bad are those of the REST API that GitHub has refused for their credentials.
	bad int
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	if r.URL.Path == "/login/oauth/access_token" {
		form, _ := url.ParseQuery(string(body)) // what is no form has no client id, and GitHub says what it thinks of it
		c.tokens[form.Get("client_id")]++
	} else {
		c.others[r.URL.Path]++
	}
	c.mu.Unlock()
	seen := &statusWriter{ResponseWriter: w}
	c.to.ServeHTTP(seen, r)
	if r.URL.Path == "/user" || strings.HasPrefix(r.URL.Path, "/applications/") {
		c.mu.Lock()
		defer c.mu.Unlock()
		if seen.status == http.StatusUnauthorized || seen.status == http.StatusForbidden {
			c.bad++
		}
	}
}

// statusWriter knows the status of a reply.
type statusWriter struct {
	http.ResponseWriter

	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// refused is how many requests of the REST API GitHub has refused for their credentials.
func (c *calls) refused() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bad
}

// unproven is how many token requests came with client ids that are not among these.
func (c *calls) unproven(proven map[string]bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for id, count := range c.tokens {
		if !proven[id] {
			n += count
		}
	}
	return n
}

func (c *calls) of(clientID string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[clientID]
}

func (c *calls) at(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.others[path]
}

func (c *calls) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	total, highest := 0, 0
	for _, n := range c.tokens {
		total, highest = total+n, max(highest, n)
	}
	return fmt.Sprintf("%d token requests of %d client ids (at most %d of one), %d at the credentials endpoint, %d bad credentials at others",
		total, len(c.tokens), highest, c.others["/credentials/revoke"], c.bad)
}
