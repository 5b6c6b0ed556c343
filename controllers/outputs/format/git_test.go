package format_test

import (
	"bytes"
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
)

// git runs git with an empty home of its own, apart from the machine's configuration.
func git(t *testing.T, home, stdin string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true"}
	command.Dir = home
	command.Stdin = strings.NewReader(stdin)
	var stdout bytes.Buffer
	command.Stdout = &stdout
	err := command.Run()
	return stdout.String(), err
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOutputGitCredentialsAreReadByGitItself(t *testing.T) {
	const oddToken = "ghu_%25:/@?#+&=\\\"'~"

	for _, test := range []struct {
		name               string
		spec               v1alpha1.Output
		appHost            string
		token              string
		wantHost, wantUser string
	}{
		{"github.com", v1alpha1.Output{}, "", accessToken, "github.com", "x-access-token"},
		{"an Enterprise Server, known by its API", v1alpha1.Output{}, "github.example.com/api/v3", accessToken, "github.example.com", "x-access-token"},
		{"a port of one's own", v1alpha1.Output{}, "github.example.com:8443", accessToken, "github.example.com:8443", "x-access-token"},
		{"the port that https has anyway", v1alpha1.Output{}, "github.example.com:443", accessToken, "github.example.com", "x-access-token"},
		{"another host and user", v1alpha1.Output{Host: "git.example.com", Username: "octo.cat_-1"}, "github.com", accessToken, "git.example.com", "octo.cat_-1"},
		{"a token full of signs that mean something in a URL", v1alpha1.Output{}, "", oddToken, "github.com", "x-access-token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			test.spec.Format = v1alpha1.OutputFormatGitCredentials
			rendered := render(t, test.spec, newPair(test.token, refreshToken), format.Defaults{AppHost: test.appHost})
			writeFile(t, filepath.Join(home, "file"), rendered.Data[".git-credentials"])

			filled, err := git(t, home, "protocol=https\nhost="+test.wantHost+"\n\n",
				"-c", "credential.helper=store --file="+filepath.Join(home, "file"), "credential", "fill")
			if err != nil {
				t.Fatalf("git credential fill: %v", err)
			}
			want := "protocol=https\nhost=" + test.wantHost + "\nusername=" + test.wantUser + "\npassword=" + test.token + "\n"
			if filled != want {
				t.Error("git does not find the user name and the token")
			}
			if bytes.Count(rendered.Data[".git-credentials"], []byte("\n")) != 1 {
				t.Error("the file is not one line with its end")
			}
		})
	}
}

// TestOutputNetrcIsReadByGitItself lets git (by libcurl, as curl does) send what it finds in ~/.netrc.
func TestOutputNetrcIsReadByGitItself(t *testing.T) {
	var username, password atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, ok := r.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		username.Store(user)
		password.Store(pass)
		http.NotFound(w, r)
	}))
	defer server.Close()

	home := t.TempDir()
	spec := v1alpha1.Output{Format: v1alpha1.OutputFormatNetrc, Username: "octocat"}
	// The server's address has a port; a machine in a .netrc has none.
	rendered := render(t, spec, newPair(accessToken, refreshToken), format.Defaults{AppHost: strings.TrimPrefix(server.URL, "http://")})
	writeFile(t, filepath.Join(home, ".netrc"), rendered.Data[".netrc"])

	if _, err := git(t, home, "", "ls-remote", server.URL+"/repository.git"); err == nil {
		t.Fatal("there is no such repository, and git found it")
	}
	if username.Load() != "octocat" || password.Load() != accessToken {
		t.Error("git did not send the user name and the token of the .netrc")
	}
}
