// Package fakeserver is a strict stand-in for the token server: it answers what the contract says, and refuses what no client may ask.
package fakeserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Token is what the server has.
type Token struct {
	AccessToken, Fingerprint string
	ExpiresAt, NextRefreshAt time.Time
}

// Failure is an answer that the next requests get in place of a token.
type Failure struct {
	Status     int
	Code       string
	Message    string
	RetryAfter string
}

// Server is a token server with one resource, team-a/octocat. Make it with New. It is safe for concurrent use.
type Server struct {
	mu sync.Mutex
	// presented is the ServiceAccount token that it knows.
	presented string
	host      string
	token     Token
	changed   chan struct{}
	failures  []Failure
	queries   []url.Values
	wrong     []string
}

// New makes a server for an App's host.
func New(host, presented string, token Token) *Server {
	return &Server{host: host, presented: presented, token: token, changed: make(chan struct{})}
}

// Rotate stores another token.
func (s *Server) Rotate(token Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
	close(s.changed)
	s.changed = make(chan struct{})
}

// Accept changes the ServiceAccount token that it knows.
func (s *Server) Accept(presented string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.presented = presented
}

// Fail has the next requests fail, one each.
func (s *Server) Fail(failures ...Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failures...)
}

// Queries are those of all requests so far.
func (s *Server) Queries() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values{}, s.queries...)
}

// Wrong is what clients did that none may do.
func (s *Server) Wrong() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.wrong...)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	query, err := url.ParseQuery(r.URL.RawQuery)
	s.queries = append(s.queries, query)
	if problem := judge(r, query, err); problem != "" {
		s.wrong = append(s.wrong, problem)
		s.mu.Unlock()
		refuse(w, Failure{Status: http.StatusBadRequest, Code: "invalid_request", Message: problem})
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+s.presented {
		s.mu.Unlock()
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, Failure{Status: http.StatusUnauthorized, Code: "invalid_token", Message: "The token is not one of this server's audience: project one."})
		return
	}
	if len(s.failures) > 0 {
		failure := s.failures[0]
		s.failures = s.failures[1:]
		s.mu.Unlock()
		refuse(w, failure)
		return
	}
	s.mu.Unlock()
	s.answer(w, r, query)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, query url.Values) {
	unwanted, wait := query.Get("stale"), 5*time.Second
	if after := query.Get("after"); after != "" {
		unwanted, wait = after, time.Minute
	}
	if query.Has("wait") {
		seconds, _ := strconv.Atoi(query.Get("wait"))
		wait = time.Duration(seconds) * time.Second
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		s.mu.Lock()
		token, changed := s.token, s.changed
		s.mu.Unlock()
		if token.Fingerprint != unwanted {
			give(w, s.host, token)
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			if query.Has("stale") {
				refuse(w, Failure{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Message: "There is no other token yet.", RetryAfter: "1"})
				return
			}
			give(w, s.host, token)
			return
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // Merely to return would say 200.
		}
	}
}

// judge says what is wrong with a request.
func judge(r *http.Request, query url.Values, err error) string {
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		return "there is a body"
	}
	switch {
	case err != nil:
		return "the query cannot be read"
	case r.Method != http.MethodGet:
		return "the method is " + r.Method
	case r.URL.Path != "/v1/namespaces/team-a/githubusertokens/octocat/token":
		return "the path is " + r.URL.Path
	case len(r.Header.Values("Authorization")) != 1:
		return "there is not one Authorization"
	case !strings.Contains(r.Header.Get("Accept"), "application/json"):
		return "JSON is not accepted"
	}
	for name, values := range query {
		if len(values) != 1 {
			return "there is more than one " + name
		}
		switch name {
		case "after", "stale", "output":
			if values[0] == "" {
				return name + " is empty"
			}
		case "wait":
			if seconds, err := strconv.Atoi(values[0]); err != nil || seconds < 0 || seconds > 300 {
				return fmt.Sprintf("wait is %q", values[0])
			}
		default:
			return "there is an unknown parameter " + name
		}
	}
	if query.Has("after") && query.Has("stale") && query.Get("after") != query.Get("stale") {
		return "after and stale differ"
	}
	return ""
}

func give(w http.ResponseWriter, host string, token Token) {
	answer := map[string]any{
		"accessToken": token.AccessToken, "tokenType": "bearer", "host": host, "fingerprint": token.Fingerprint,
		"account": map[string]any{"login": "octocat", "id": 1},
	}
	if !token.ExpiresAt.IsZero() {
		answer["expiresAt"] = token.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if !token.NextRefreshAt.IsZero() {
		answer["nextRefreshAt"] = token.NextRefreshAt.UTC().Format(time.RFC3339)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}

func refuse(w http.ResponseWriter, failure Failure) {
	if failure.RetryAfter != "" {
		w.Header().Set("Retry-After", failure.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(failure.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": failure.Code, "message": failure.Message})
}
