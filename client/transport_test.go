package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

// github is a stand-in that accepts one token, whatever host it is asked as, and tells what it was shown.
type github struct {
	mu     sync.Mutex
	alive  string
	shown  []string
	bodies []string
	open   int
}

func (g *github) RoundTrip(request *http.Request) (*http.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	body := ""
	if request.Body != nil {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		body = string(content)
		_ = request.Body.Close()
	}
	g.shown = append(g.shown, request.Header.Get("Authorization"))
	g.bodies = append(g.bodies, body)
	status := http.StatusOK
	if request.Header.Get("Authorization") != "Bearer "+g.alive {
		status = http.StatusUnauthorized
	}
	g.open++
	return &http.Response{StatusCode: status, Header: http.Header{}, Request: request, Body: &counted{strings.NewReader("answer"), g}}, nil
}

// counted tells when a body is closed.
type counted struct {
	io.Reader
	of *github
}

func (c *counted) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.of.open--
	return nil
}

func (g *github) accept(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alive = token
}

func newTransportWorld(t *testing.T) (*world, *github, *Transport) {
	w := newWorld(t, nil)
	g := &github{alive: tokenOf(1, time.Now()).AccessToken}
	return w, g, &Transport{Source: NewSource(t.Context(), w.client), Base: g}
}

func newRequest(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func do(t *testing.T, transport http.RoundTripper, request *http.Request) int {
	t.Helper()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "answer" {
		t.Errorf("the answer is %q, %v", text, err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestTransportShowsTheTokenToTheHostsOfTheAppOnly(t *testing.T) {
	for _, test := range []struct {
		app, address string
		more         []string
		carries      bool
	}{
		{"github.com", "https://github.com/octocat/app", nil, true},
		{"github.com", "https://GitHub.com:443/octocat/app", nil, true},
		{"github.com", "https://api.github.com/user", nil, true},
		{"github.com", "https://uploads.github.com/x", nil, true},
		{"github.com", "http://api.github.com/user", nil, false},
		{"github.com", "https://api.github.com:8443/user", nil, false},
		{"github.com", "https://github.com.example.com/", nil, false},
		{"github.com", "https://notgithub.com/", nil, false},
		{"github.com", "https://evil.api.github.com/", nil, false},
		{"github.com", "https://github.com@evil.example/", nil, false},
		{"github.com", "https://octocorp.ghe.com/", nil, false},
		// In lower case it is GitHub's name, and it is connected to as xn--github-qyd.com.
		{"github.com", "https://gİthub.com/", nil, false},
		{"github.com", "https://api.gİthub.com/user", nil, false},
		{"github.com", "https://git.example/", []string{"gİt.example"}, false},
		{"github.com", "https://api.githubcopilot.com/mcp/", nil, false},
		{"github.com", "https://api.githubcopilot.com/mcp/", []string{"api.githubcopilot.com"}, true},
		{"github.com", "http://api.githubcopilot.com/mcp/", []string{"api.githubcopilot.com"}, false},
		{"octocorp.ghe.com", "https://octocorp.ghe.com/x", nil, true},
		{"octocorp.ghe.com", "https://api.octocorp.ghe.com/user", nil, true},
		{"octocorp.ghe.com", "https://other.ghe.com/", nil, false},
		{"octocorp.ghe.com", "https://api.other.ghe.com/", nil, false},
		{"octocorp.ghe.com", "https://github.com/", nil, false},
		{"octocorp.ghe.com", "https://ghe.com/", nil, false},
		{"github.example.com:8443", "https://github.example.com:8443/api/v3/user", nil, true},
		{"github.example.com:8443", "https://github.example.com/api/v3/user", nil, false},
		{"github.example.com", "https://api.github.example.com/", nil, false},
	} {
		t.Run(test.app+" "+test.address, func(t *testing.T) {
			for _, said := range []string{"", test.app} {
				w, g, transport := newTransportWorld(t)
				w.server = fakeserver.New(test.app, presented, tokenOf(1, time.Now()))
				w.client.http.Transport = fakeserver.RoundTripper{Handler: w.server}
				transport.Host, transport.More = said, test.more
				request := newRequest(t, http.MethodGet, test.address, http.NoBody)
				status := do(t, transport, request)
				if carries := g.shown[0] != ""; carries != test.carries || len(g.shown) != 1 || (status == http.StatusOK) != test.carries {
					t.Errorf("with the host %q: the token is shown: %t, in %d requests, answered %d", said, carries, len(g.shown), status)
				}
				if len(request.Header) != 0 {
					t.Error("the caller's request was changed")
				}
				if said != "" && !test.carries && w.asked() != 0 {
					t.Error("the token server was asked for nothing")
				}
			}
		})
	}
}

func TestTransportSendsOnceMoreWithTheTokenThatFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, g, transport := newTransportWorld(t)
		if status := do(t, transport, newRequest(t, http.MethodGet, "https://api.github.com/user", nil)); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		time.Sleep(time.Hour)
		g.accept(tokenOf(2, time.Now()).AccessToken) // GitHub ends the old token before the operator has stored the new one.
		go func() {
			time.Sleep(2 * time.Second)
			w.server.Rotate(tokenOf(2, time.Now()))
		}()
		request := newRequest(t, http.MethodPost, "https://api.github.com/issues", strings.NewReader("a text"))
		if status := do(t, transport, request); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		if len(g.bodies) != 3 || g.bodies[1] != "a text" || g.bodies[2] != "a text" {
			t.Errorf("GitHub read the bodies %q", g.bodies)
		}
		if g.open != 0 {
			t.Errorf("%d bodies were left open", g.open)
		}
		if request.Header.Get("Authorization") != "" {
			t.Error("the caller's request was changed")
		}
	})
}

func TestTransportGivesGitHubsRefusalWhereItCannotDoBetter(t *testing.T) {
	for name, test := range map[string]struct {
		body  io.Reader
		sent  int
		asked string
	}{
		"a body that cannot be sent again": {io.MultiReader(strings.NewReader("a text")), 1, ""},
		"no token follows":                 {nil, 1, tokenOf(1, time.Now()).Fingerprint},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, g, transport := newTransportWorld(t)
				do(t, transport, newRequest(t, http.MethodGet, "https://api.github.com/user", nil))
				time.Sleep(time.Hour)
				g.accept("none")
				g.shown = nil
				begin := time.Now()
				if status := do(t, transport, newRequest(t, http.MethodPost, "https://api.github.com/issues", test.body)); status != http.StatusUnauthorized {
					t.Errorf("status %d", status)
				}
				if len(g.shown) != test.sent || g.open != 0 {
					t.Errorf("sent %d times, %d bodies open", len(g.shown), g.open)
				}
				if took := time.Since(begin); took > refusedWait {
					t.Errorf("the caller had the refusal after %s", took)
				}
				queries := w.server.Queries()
				if got := queries[len(queries)-1].Get("stale"); got != test.asked {
					t.Errorf("asked for a successor of %q", got)
				}
			})
		})
	}
}

// GitHub takes some seconds at times until it knows a token that it has just given: that one is tried again, since none follows it.
func TestTransportTriesATokenAgainThatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, g, transport := newTransportWorld(t)
		g.accept("not yet")
		go func() {
			time.Sleep(2 * time.Second)
			g.accept(tokenOf(1, time.Now()).AccessToken)
		}()
		begin := time.Now()
		if status := do(t, transport, newRequest(t, http.MethodGet, "https://api.github.com/user", nil)); status != http.StatusOK || len(g.shown) != 2 {
			t.Errorf("status %d after %d requests", status, len(g.shown))
		}
		if took := time.Since(begin); took != settling {
			t.Errorf("after %s", took)
		}
	})
}

func TestTransportShowsNoTokenAcrossARedirect(t *testing.T) {
	for _, test := range []struct {
		to    string
		shown bool
	}{
		{"https://api.github.com/repositories/1", true},
		{"https://codeload.github.com/x", false}, // A host of the App's, and yet nobody asked for it but who answered.
		{"https://evil.example/x", false},
		{"http://api.github.com/x", false},
	} {
		w := newWorld(t, nil)
		var last *http.Request
		base := roundTrip(func(request *http.Request) (*http.Response, error) {
			last = request
			response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}
			if request.URL.Path == "/start" {
				response.StatusCode = http.StatusMovedPermanently
				response.Header.Set("Location", test.to)
			}
			return response, nil
		})
		caller := &http.Client{Transport: &Transport{Source: NewSource(t.Context(), w.client), Base: base}}
		response, err := caller.Do(newRequest(t, http.MethodGet, "https://api.github.com/start", http.NoBody))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if last.URL.String() != test.to {
			t.Fatalf("the redirect led to %s", last.URL)
		}
		if shown := last.Header.Get("Authorization") != ""; shown != test.shown {
			t.Errorf("to %s: the token is shown: %t", test.to, shown)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

type bodyThatTells struct {
	io.Reader
	closed bool
}

func (b *bodyThatTells) Close() error {
	b.closed = true
	return nil
}

func TestTransportWithoutATokenSaysWhyAndClosesTheBody(t *testing.T) {
	w, g, transport := newTransportWorld(t)
	w.server.Fail(fakeserver.Failure{Status: 403, Code: "forbidden", Message: "The ServiceAccount may not get this token."})
	body := &bodyThatTells{Reader: strings.NewReader("x")}
	response, err := transport.RoundTrip(newRequest(t, http.MethodPost, "https://api.github.com/x", body))
	if err == nil {
		_ = response.Body.Close()
		t.Fatal("it was sent")
	}
	if !strings.Contains(err.Error(), "may not get this token") || !hasCode(err, http.StatusForbidden) || !body.closed || len(g.shown) != 0 {
		t.Errorf("%v; body closed: %t", err, body.closed)
	}
	transport.Host = "octocorp.ghe.com"
	response, err = transport.RoundTrip(newRequest(t, http.MethodGet, "https://octocorp.ghe.com/x", http.NoBody))
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "the token is for github.com and not for octocorp.ghe.com") || len(g.shown) != 0 {
		t.Errorf("a token of another host: %v", err)
	}
	if response, err := (&Transport{}).RoundTrip(newRequest(t, http.MethodGet, "https://github.com", http.NoBody)); !errors.Is(err, errNoSource) {
		_ = response.Body.Close()
		t.Errorf("without a source: %v", err)
	}
}

func TestTransportLeavesAnAuthorizationOfTheCallersAlone(t *testing.T) {
	w, g, transport := newTransportWorld(t)
	request := newRequest(t, http.MethodGet, "https://api.github.com/user", http.NoBody)
	request.Header.Set("Authorization", "Bearer mine")
	if status := do(t, transport, request); status != http.StatusUnauthorized || g.shown[0] != "Bearer mine" || w.asked() != 0 {
		t.Errorf("status %d, %d questions", status, w.asked())
	}
}

func TestTransportEndsWithTheCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, g, transport := newTransportWorld(t)
		do(t, transport, newRequest(t, http.MethodGet, "https://api.github.com/user", nil))
		time.Sleep(time.Hour)
		g.accept("none")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		response, err := transport.RoundTrip(newRequest(t, http.MethodGet, "https://api.github.com/user", nil).WithContext(ctx))
		if err != nil || response.StatusCode != http.StatusUnauthorized || time.Since(begin) != time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		if err == nil {
			_ = response.Body.Close()
		}
		_ = w
	})
}
