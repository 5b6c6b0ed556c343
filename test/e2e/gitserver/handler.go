// Package gitserver serves git repositories over smart HTTP to whoever shows a live access token: what
// github.com does with a user access token, on a machine without github.com. It runs git's own
// http-backend, so the client's whole conversation is real.
package gitserver

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi" // since Go closed httpoxy in it
	"os/exec"
	"path/filepath"
	"strings"
)

// Handler serves the repositories under root, for reading. Each request must carry a token for which
// authenticate says true, as the password of HTTP Basic with any user name, or as a bearer; others get
// 401, as at GitHub. authenticate is called from many goroutines.
func Handler(root string, authenticate func(token string) bool) (http.Handler, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("git is not installed: %w", err)
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("folder of the repositories: %w", err)
	}
	backend := &cgi.Handler{
		Path:   git,
		Args:   []string{"http-backend"},
		Dir:    root,
		Env:    []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"},
		Logger: log.New(io.Discard, "", 0),
		Stderr: io.Discard,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token := tokenOf(r); token == "" || !authenticate(token) {
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
			http.Error(w, "the access token is missing or not alive", http.StatusUnauthorized)
			return
		}
		// CGI would put the header, and so the token, into the environment of a process.
		r.Header.Del("Authorization")
		backend.ServeHTTP(w, r)
	}), nil
}

func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "token") {
		return token
	}
	return ""
}
