package client

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

const presented = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsidG9rZW5zIl19.c2lnbmF0dXJl"

// tokenOf is the n-th token, good for eight hours and replaced two hours before.
func tokenOf(n int, now time.Time) fakeserver.Token {
	return fakeserver.Token{
		AccessToken: fmt.Sprintf("ghu_%036d", n), Fingerprint: fmt.Sprintf("%032x", n),
		ExpiresAt: now.Add(8 * time.Hour), NextRefreshAt: now.Add(6 * time.Hour),
	}
}

// world is a token server, and a client of it that holds no socket.
type world struct {
	server *fakeserver.Server
	client *Client
	file   string
}

func newWorld(t *testing.T, edit func(*Options)) *world {
	t.Helper()
	w := &world{
		server: fakeserver.New("github.com", presented, tokenOf(1, time.Now())),
		file:   filepath.Join(t.TempDir(), "token"),
	}
	if err := os.WriteFile(w.file, []byte(presented+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	options := Options{
		Server: "https://tokens.example.svc", Namespace: "team-a", Name: "octocat", TokenFile: w.file,
		transport: fakeserver.RoundTripper{Handler: w.server},
	}
	if edit != nil {
		edit(&options)
	}
	var err error
	if w.client, err = New(options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, wrong := range w.server.Wrong() {
			t.Errorf("the server was asked what no client may ask: %s", wrong)
		}
	})
	return w
}

// asked is how often the server was asked.
func (w *world) asked() int { return len(w.server.Queries()) }

func wantNoToken(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "ghu_") || strings.Contains(text, presented) {
		t.Error("a token stands in a text that people see")
	}
}

// handler serves a fixed answer.
func handler(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}
