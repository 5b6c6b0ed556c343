package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

func TestGitCredentialHelperAnswersForTheHostOfTheAppAlone(t *testing.T) {
	w := newWorld(t, "github.com")
	for name, test := range map[string]struct {
		input string
		given bool
	}{
		"its host":          {"protocol=https\nhost=github.com\n\n", true},
		"its account":       {"protocol=https\nhost=github.com\nusername=octocat\n\n", true},
		"another account":   {"protocol=https\nhost=github.com\nusername=monalisa\n\n", false},
		"another host":      {"protocol=https\nhost=example.com\n\n", false},
		"a host like it":    {"protocol=https\nhost=github.com.example.com\n\n", false},
		"without TLS":       {"protocol=http\nhost=github.com\n\n", false},
		"nothing of a host": {"\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{{"credential", "get"}, {"credential", "--host", "github.com", "get"}} {
				got := w.run(test.input, args...)
				if given := strings.Contains(got.out, "password="+tokenOf(1).AccessToken+"\n"); got.code != 0 || given != test.given || !given && got.out != "" {
					t.Errorf("%v: code %d, the token is given: %t: %s", args, got.code, given, got.err)
				}
				if test.given && !strings.Contains(got.out, "password_expiry_utc=") {
					t.Error("git is not told when it expires")
				}
			}
		})
	}
	asked := len(w.server.Queries())
	w.run("protocol=https\nhost=example.com\n\n", "credential", "--host", "github.com", "get")
	w.run("protocol=http\nhost=github.com\n\n", "credential", "get")
	for _, operation := range []string{"store", "erase"} {
		got := w.run("protocol=https\nhost=github.com\nusername=a\npassword=b\n\n", "credential", operation)
		if got != (result{}) {
			t.Errorf("%s: %+v", operation, got)
		}
	}
	if more := len(w.server.Queries()) - asked; more != 0 {
		t.Errorf("the server was asked %d times for nothing", more)
	}
}

func TestGitCredentialHelperHasGitGiveUpWithTheReason(t *testing.T) {
	w := newWorld(t, "github.com")
	w.server.Fail(fakeserver.Failure{Status: http.StatusForbidden, Code: "forbidden", Message: "You may not."})
	got := w.run("protocol=https\nhost=github.com\n\n", "credential", "get")
	if got.code != codeFailed || got.out != "quit=1\n" || !strings.Contains(got.err, "You may not.") {
		t.Errorf("%+v", got)
	}
	w.env["TERMINAL"] = "yes"
	if got := w.run("protocol=https\nhost=github.com\n\n", "credential", "get"); got.code != codeUsage || got.out != "" {
		t.Errorf("at a terminal: code %d", got.code)
	}
}

// The second question of one command tells which token was refused, as git 2.46 and later ask it.
func TestGitCredentialHelperGivesAnotherTokenForARefusedOne(t *testing.T) {
	const first = "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=github.com\n"
	w := newWorld(t, "github.com")
	got := w.run(first+"\n", "credential", "get")
	state := "state[]=ghut-token:" + tokenOf(1).Fingerprint + "\n"
	if !strings.Contains(got.out, state) || !strings.Contains(got.out, "continue=1\n") {
		t.Fatalf("git cannot come back: code %d: %s", got.code, got.err)
	}
	w.server.Rotate(tokenOf(2))
	got = w.run(first+"username=x-access-token\n"+state+"\n", "credential", "get")
	if got.code != 0 || !strings.Contains(got.out, "password="+tokenOf(2).AccessToken+"\n") || strings.Contains(got.out, "continue=1") {
		t.Errorf("code %d: %s", got.code, got.err)
	}
	queries := w.server.Queries()
	if last := queries[len(queries)-1]; last.Get("stale") != tokenOf(1).Fingerprint {
		t.Errorf("the server was asked for %v", last)
	}
}

// The same token gets one more try where there is no other, and no third.
func TestGitCredentialHelperTriesANewTokenOnceMore(t *testing.T) {
	before := refusedWait
	refusedWait = time.Second
	t.Cleanup(func() { refusedWait = before })
	w := newWorld(t, "github.com")
	got := w.run("capability[]=state\nprotocol=https\nhost=github.com\nstate[]=ghut-token:"+tokenOf(1).Fingerprint+"\n\n", "credential", "get")
	if got.code != 0 || !strings.Contains(got.out, "password="+tokenOf(1).AccessToken+"\n") || strings.Contains(got.out, "continue=1") {
		t.Errorf("code %d: %s", got.code, got.err)
	}
	if first := w.server.Queries()[0]; first.Get("stale") != tokenOf(1).Fingerprint {
		t.Errorf("the server was asked for %v first", first)
	}
}

// gitServer serves one repository over TLS, as GitHub does: by user name and token.
type gitServer struct {
	*httptest.Server
	mu    sync.Mutex
	alive string
	// refused counts requests with another token, and onRefusal is called at the first.
	refused   int
	onRefusal func()
}

func newGitServer(t *testing.T, alive string) *gitServer {
	t.Helper()
	backend, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	git := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	bare, work := filepath.Join(root, "octocat", "app.git"), filepath.Join(root, "work")
	git("init", "--quiet", "--bare", "--initial-branch=main", bare)
	git("-C", bare, "config", "http.receivepack", "true")
	git("init", "--quiet", "--initial-branch=main", work)
	git("-C", work, "commit", "--quiet", "--allow-empty", "--message=First")
	git("-C", work, "push", "--quiet", bare, "main")
	served := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "REMOTE_USER=octocat"},
	}
	s := &gitServer{alive: alive}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		_, password, ok := r.BasicAuth()
		s.mu.Lock()
		isAlive := ok && password == s.alive
		if ok && !isAlive {
			s.refused++
			if s.onRefusal != nil && s.refused == 1 {
				s.onRefusal()
			}
		}
		s.mu.Unlock()
		if !isAlive {
			out.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
			out.WriteHeader(http.StatusUnauthorized)
			return
		}
		served.ServeHTTP(out, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *gitServer) accept(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive = token
}

// gitOf runs the real git, which knows this helper and nothing else.
func (w *world) gitOf(s *gitServer, args ...string) (string, error) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	authority := w.write("git-ca.crt", pemOf(s.Server))
	config := w.write("gitconfig", fmt.Sprintf("[credential]\n\thelper = !%q credential\n[user]\n\tname = A\n\temail = a@example.com\n", os.Args[0]))
	cmd.Env = append(w.environ(), "GIT_CONFIG_GLOBAL="+config, "GIT_CONFIG_NOSYSTEM=1", "GIT_SSL_CAINFO="+authority,
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=false", "HOME="+w.folder)
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "ghu_") || strings.Contains(string(out), base64.StdEncoding.EncodeToString([]byte("x-access-token:"))[:16]) {
		w.t.Error("git prints the token")
	}
	return string(out), err
}

func TestGitClonesAndPushesByTheHelperThroughRotations(t *testing.T) {
	s := newGitServer(t, tokenOf(1).AccessToken)
	host := strings.TrimPrefix(s.URL, "https://")
	w := newWorld(t, host)
	clone := filepath.Join(w.folder, "clone")
	must := func(args ...string) {
		t.Helper()
		if out, err := w.gitOf(s, args...); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	must("clone", "--quiet", s.URL+"/octocat/app.git", clone)
	for n := 2; n < 5; n++ {
		s.accept(tokenOf(n).AccessToken)
		w.server.Rotate(tokenOf(n))
		must("-C", clone, "commit", "--quiet", "--allow-empty", fmt.Sprintf("--message=%d", n))
		must("-C", clone, "push", "--quiet", "origin", "main")
		must("-C", clone, "fetch", "--quiet")
	}
	if s.refused > 0 {
		t.Errorf("%d requests had a token that was replaced", s.refused)
	}
	for _, query := range w.server.Queries() {
		if len(query) != 0 {
			t.Errorf("the server was asked for %v", query)
		}
	}
}

// git names the reason and asks nobody for a password.
func TestGitFailsAtOnceWithTheReasonOfTheServer(t *testing.T) {
	s := newGitServer(t, tokenOf(1).AccessToken)
	w := newWorld(t, strings.TrimPrefix(s.URL, "https://"))
	w.server.Fail(fakeserver.Failure{Status: http.StatusConflict, Code: "no_token", Message: "Somebody must log in (LoginRequired)."})
	out, err := w.gitOf(s, "ls-remote", s.URL+"/octocat/app.git")
	if err == nil || !strings.Contains(out, "Somebody must log in (LoginRequired).") || strings.Contains(out, "could not read Username") {
		t.Errorf("%v: %s", err, out)
	}
}
