package gitserver_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/controllers/outputs/format"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/rotation"
	"github.com/githubusertoken/github-user-token-operator/test/e2e/gitserver"
)

const (
	firstToken  = "ghu_first_abcdefghijklmnopqrstuvwxyz"
	secondToken = "ghu_second_abcdefghijklmnopqrstuvwxyz"
)

// github is a server for one repository whose live token changes.
type github struct {
	*httptest.Server
	live atomic.Value
}

func start(t *testing.T) *github {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{"README.md": "hello\n", "deploy/app.yaml": "kind: ConfigMap\n"}
	if err := gitserver.CreateRepository(t.Context(), root, "octocat/hello.git", files); err != nil {
		t.Fatal(err)
	}
	server := &github{}
	server.live.Store(firstToken)
	handler, err := gitserver.Handler(root, func(token string) bool { return token == server.live.Load() })
	if err != nil {
		t.Fatal(err)
	}
	server.Server = httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return server
}

func (g *github) host() string { return strings.TrimPrefix(g.URL, "https://") }

// clone clones as a pod would that mounts the output: with git's store helper on the file.
func (g *github) clone(t *testing.T, kind v1alpha1.OutputFormat, token string) (folder string, err error) {
	t.Helper()
	home := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
	write(t, filepath.Join(home, "ca.pem"), certificate)

	access := credential.NewAccessToken(token)
	pair := &rotation.Pair{AccessToken: access, State: rotation.State{AccessToken: access.Fingerprint()}}
	rendered, err := format.Render(v1alpha1.Output{Name: "git", Format: kind}, pair, format.Defaults{AppHost: g.host()})
	if err != nil {
		t.Fatal(err)
	}
	for key, content := range rendered.Data {
		write(t, filepath.Join(home, key), content)
	}
	folder = filepath.Join(home, "clone")
	command := exec.CommandContext(t.Context(), "git", "-c", "credential.helper=store", "-c", "http.sslCAInfo="+filepath.Join(home, "ca.pem"),
		"clone", "--quiet", g.URL+"/octocat/hello.git", folder)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true"}
	return folder, command.Run()
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnOutputClonesARepositoryAsLongAsItsTokenLives(t *testing.T) {
	server := start(t)
	for _, format := range []v1alpha1.OutputFormat{v1alpha1.OutputFormatGitCredentials, v1alpha1.OutputFormatNetrc} {
		t.Run(string(format), func(t *testing.T) {
			server.live.Store(firstToken)
			folder, err := server.clone(t, format, firstToken)
			if err != nil {
				t.Fatalf("git clone with the live token: %v", err)
			}
			if text, err := os.ReadFile(filepath.Join(folder, "deploy", "app.yaml")); err != nil || string(text) != "kind: ConfigMap\n" {
				t.Errorf("the clone does not hold the file: %v", err)
			}

			server.live.Store(secondToken)
			if _, err := server.clone(t, format, firstToken); err == nil {
				t.Error("the dead token still clones")
			}
			if _, err := server.clone(t, format, secondToken); err != nil {
				t.Errorf("git clone with the new token: %v", err)
			}
		})
	}
}

func TestOnlyALiveTokenIsLetIn(t *testing.T) {
	server := start(t)
	for _, test := range []struct {
		name      string
		authorize func(*http.Request)
		path      string
		want      int
	}{
		{"no token", func(*http.Request) {}, "/octocat/hello.git/info/refs?service=git-upload-pack", http.StatusUnauthorized},
		{"an empty password", func(r *http.Request) { r.SetBasicAuth("x-access-token", "") }, "/octocat/hello.git/info/refs?service=git-upload-pack", http.StatusUnauthorized},
		{"a dead token", func(r *http.Request) { r.SetBasicAuth("x-access-token", secondToken) }, "/octocat/hello.git/info/refs?service=git-upload-pack", http.StatusUnauthorized},
		{"the live token as a password", func(r *http.Request) { r.SetBasicAuth("anybody", firstToken) }, "/octocat/hello.git/info/refs?service=git-upload-pack", http.StatusOK},
		{"the live token as a bearer", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+firstToken) }, "/octocat/hello.git/info/refs?service=git-upload-pack", http.StatusOK},
		{"no such repository", func(r *http.Request) { r.SetBasicAuth("anybody", firstToken) }, "/octocat/other.git/info/refs?service=git-upload-pack", http.StatusNotFound},
		{"a way out of the folder, at which git gives up", func(r *http.Request) { r.SetBasicAuth("anybody", firstToken) }, "/..%2f..%2fetc/passwd", http.StatusInternalServerError},
		{"a push", func(r *http.Request) { r.SetBasicAuth("anybody", firstToken) }, "/octocat/hello.git/info/refs?service=git-receive-pack", http.StatusForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			test.authorize(request)
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("status %d, want %d", response.StatusCode, test.want)
			}
			challenged := response.Header.Get("WWW-Authenticate") != ""
			if challenged != (test.want == http.StatusUnauthorized) {
				t.Errorf("asks for a password: %t", challenged)
			}
		})
	}
}
