package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

// asMain tells this test program that it is ghut-token.
const asMain = "GHUT_TOKEN_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

const presented = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsidG9rZW5zIl19.c2lnbmF0dXJl"

// tokenOf is the n-th token.
func tokenOf(n int) fakeserver.Token {
	return fakeserver.Token{
		AccessToken: fmt.Sprintf("ghu_%036d", n), Fingerprint: fmt.Sprintf("%032x", n),
		ExpiresAt: time.Now().Add(8 * time.Hour), NextRefreshAt: time.Now().Add(6 * time.Hour),
	}
}

// world is a token server on a socket, and the environment by which ghut-token finds it.
type world struct {
	t      *testing.T
	server *fakeserver.Server
	env    map[string]string
	folder string
}

func newWorld(t *testing.T, host string) *world {
	t.Helper()
	w := &world{t: t, server: fakeserver.New(host, presented, tokenOf(1)), folder: t.TempDir()}
	listening := httptest.NewUnstartedServer(w.server)
	listening.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listening.StartTLS()
	t.Cleanup(listening.Close)
	w.env = map[string]string{
		"GHUT_SERVER": listening.URL, "GHUT_NAMESPACE": "team-a", "GHUT_NAME": "octocat",
		"GHUT_TOKEN_FILE": w.write("token", presented),
		"GHUT_CA_FILE":    w.write("ca.crt", pemOf(listening)),
	}
	t.Cleanup(func() {
		for _, wrong := range w.server.Wrong() {
			t.Errorf("the server was asked what no client may ask: %s", wrong)
		}
	})
	return w
}

// pemOf is the authority of a server.
func pemOf(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// environ is the environment of a process that runs ghut-token.
func (w *world) environ() []string {
	env := append(os.Environ(), asMain+"=1")
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	return env
}

// result is what a command line came to.
type result struct {
	code     int
	out, err string
}

// run carries out a command line within this process.
func (w *world) run(input string, args ...string) result {
	w.t.Helper()
	var out, said bytes.Buffer
	t := &tool{
		in: strings.NewReader(input), out: &out, err: &said, release: func() {},
		lookup:     func(name string) (string, bool) { value, ok := w.env[name]; return value, ok },
		isTerminal: func() bool { return w.env["TERMINAL"] != "" },
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	code := t.run(ctx, args)
	if strings.Contains(said.String(), "ghu_") || strings.Contains(said.String(), presented) {
		w.t.Error("a token stands in a text that people see")
	}
	return result{code, out.String(), said.String()}
}
