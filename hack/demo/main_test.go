package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
)

// childVariable makes the test binary be the demo, so that tests see a real
// process with its exit code and can kill it.
const childVariable = "DEMO_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what must come: the programs may have to be built first.
const patience = 5 * time.Minute

// child is a demo that runs.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	ended  chan struct{} // closed when it has been reaped
	folder string        // for all its temporary files

	mu     sync.Mutex
	output bytes.Buffer
}

func (c *child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.Write(p)
}

func (c *child) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.String()
}

// begin starts a demo with short lifetimes.
func begin(t *testing.T, once string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0], "--lifetime", "6s"), ended: make(chan struct{}), folder: t.TempDir()}
	c.cmd.Env = append(os.Environ(), childVariable+"=1", "ONCE="+once, "TMPDIR="+c.folder)
	c.cmd.Stdout, c.cmd.Stderr = c, c
	c.cmd.WaitDelay = time.Second // what it started may hold the pipe after a kill
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // the exit code is in ProcessState
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
	})
	return c
}

// await waits until the demo has said something.
func (c *child) await(what *regexp.Regexp) []string {
	c.t.Helper()
	var match []string
	eventually(c.t, fmt.Sprintf("the demo says %q", what), func() bool {
		match = what.FindStringSubmatch(c.text())
		select {
		case <-c.ended:
			if match == nil {
				c.t.Fatalf("it ended before it said %q:\n%s", what, c.text())
			}
		default:
		}
		return match != nil
	})
	return match
}

// exit waits for the end and returns the exit code.
func (c *child) exit() int {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("it does not end:\n%s", c.text())
	}
	return c.cmd.ProcessState.ExitCode()
}

// leftovers are the files that it left behind.
func (c *child) leftovers() []string {
	var left []string
	for _, pattern := range []string{filepath.Join(c.folder, "*"), fmt.Sprintf("/dev/shm/github-user-token-demo-%d-*", c.cmd.Process.Pid)} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			c.t.Fatal(err)
		}
		left = append(left, found...)
	}
	return left
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

var adminURL = regexp.MustCompile(`admin side +(http://\S+)`)

func TestDemoThreeRotationsAreShownAndNoToken(t *testing.T) {
	c := begin(t, "1")
	tokens := collectTokens(t, c, c.await(adminURL)[1])
	if code := c.exit(); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, c.text())
	}
	for _, team := range []string{"team-a", sharedTeam} {
		for n := 1; n <= wanted; n++ {
			if !strings.Contains(c.text(), fmt.Sprintf("%s/octocat  rotation %d: ", team, n)) {
				t.Errorf("rotation %d of %s is not shown:\n%s", n, team, c.text())
			}
		}
	}
	rotations, logins := strings.Count(c.text(), "  rotation "), strings.Count(c.text(), "  login imported: ")
	if dead := strings.Count(c.text(), " dead at GitHub -> new "); logins != 2 || dead != 2*rotations+logins { // a seed has no access token
		t.Errorf("%d tokens are shown to be replaced in %d logins and %d rotations:\n%s", dead, logins, rotations, c.text())
	}
	// The samples' seeds and the pairs of the logins and the rotations, the last ones perhaps not.
	if len(tokens) < 2*(1+2*wanted) {
		t.Errorf("only %d tokens were collected at the stand-in", len(tokens))
	}
	tokens["ghr_"], tokens["ghu_"], tokens["0123456789abcdef0123456789abcdef01234567"] = true, true, true
	for token := range tokens {
		if strings.Contains(c.text(), token) {
			t.Error("a token or a client secret is shown")
		}
	}
	if left := c.leftovers(); len(left) > 0 {
		t.Errorf("it left behind %q", left)
	}
}

func TestDemoPersonIsToldWhereToEnterTheCode(t *testing.T) {
	c := begin(t, "")
	admin := c.await(adminURL)[1]
	told := c.await(regexp.MustCompile(`open (https://\S+/login/device), sign in as (\w+), and enter the code ([A-Z-]+)`))
	if page := c.await(regexp.MustCompile(`where a code is entered +(\S+)`))[1]; page != told[1] {
		t.Errorf("the code is to be entered at %s and at %s", told[1], page)
	}
	c.says(told[1]) // What a person reads of the resource leads to the page where the code is good.
	response, err := http.Post(admin+"/devices/approve?"+url.Values{"code": {told[3]}, "user": {told[2]}}.Encode(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the stand-in does not know the code %s: %s", told[3], response.Status)
	}
	c.await(regexp.MustCompile(`team-a/monalisa  a person has logged in: the first pair is here`))
	c.await(regexp.MustCompile(`team-a/monalisa  Ready=True`))
	c.opens(c.await(regexp.MustCompile(`send mona this link, which works once:\n +(https://\S+)`))[1])
	c.shows(c.await(regexp.MustCompile(`My tokens, .* (https://\S+/tokens)`))[1], "<h1>My tokens</h1>")
	for _, sample := range []string{deviceFlow, loginLink, scopedOutput, alternate} {
		if n := strings.Count(c.text(), "apply -f "+sample); n != 1 {
			t.Errorf("%s is told of %d times", sample, n)
		}
	}
	c.limits(admin, "octobot-agent", "octobot-token")
	c.limits(admin, "octoturns-token", "octoturns-token-primary") // At some moment it is the other authorization's.
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.text())
	}
}

// limits demands that an output of team-a holds a token that lives at the stand-in and is not that of the pair.
func (c *child) limits(admin, output, pair string) {
	c.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.await(regexp.MustCompile(`export KUBECONFIG=(\S+)`))[1])
	if err != nil {
		c.t.Fatal(err)
	}
	reader, err := client.New(config, client.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	held := func(name string) string {
		var secret corev1.Secret
		if err := reader.Get(c.t.Context(), client.ObjectKey{Namespace: "team-a", Name: name}, &secret); err != nil {
			return ""
		}
		return string(secret.Data[v1alpha1.KeyAccessToken])
	}
	eventually(c.t, output+" holds a living token of its own", func() bool {
		token := held(output)
		if token == "" || token == held(pair) {
			return false
		}
		response, err := http.Post(admin+"/state", "application/json", strings.NewReader(fmt.Sprintf(`{"token": %q}`, token)))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var state struct{ Alive bool }
		return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(&state) == nil && state.Alive
	})
}

// says demands that kubectl ghut names the page where the code of monalisa is entered, and no other.
func (c *child) says(page string) {
	c.t.Helper()
	kubeconfig := c.await(regexp.MustCompile(`export KUBECONFIG=(\S+)`))[1]
	plugin := c.await(regexp.MustCompile(`export PATH=(\S+):\$PATH {4}# kubectl ghut`))[1]
	for _, args := range [][]string{{"status", "monalisa"}, {"login", "monalisa", "--no-browser", "--timeout=3s"}} {
		cmd := exec.CommandContext(c.t.Context(), filepath.Join(plugin, "kubectl-ghut"), append(args, "-n", "team-a")...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		said, _ := cmd.CombinedOutput() // Its exit code says that a person is needed.
		if !strings.Contains(string(said), page) || strings.Contains(string(said), "https://github.com/login") {
			c.t.Errorf("kubectl ghut %s does not lead to %s:\n%s", args[0], page, said)
		}
	}
}

// opens opens the link of the login page as a browser would that trusts its authority.
func (c *child) opens(link string) { c.t.Helper(); c.shows(link, "team-a", "mona") }

// shows demands that a page of it holds some texts.
func (c *child) shows(link string, texts ...string) {
	c.t.Helper()
	authority, err := os.ReadFile(c.await(regexp.MustCompile(`The login page, with links that are told below, is signed by (\S+)`))[1])
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	response, err := client.Get(link)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, text := range texts {
		if response.StatusCode != http.StatusOK || !strings.Contains(string(page), text) {
			c.t.Errorf("%s shows %s: %s", link, response.Status, page)
		}
	}
}

// collectTokens asks the stand-in for the newest tokens over and over, until it ends.
func collectTokens(t *testing.T, c *child, admin string) map[string]bool {
	t.Helper()
	tokens := map[string]bool{}
	for {
		select {
		case <-c.ended:
			return tokens
		case <-time.After(100 * time.Millisecond):
		}
		response, err := http.Get(admin + "/chains?reveal")
		if err != nil {
			continue // it is ending
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			continue
		}
		var chains []struct {
			Pair struct {
				Access  string `json:"access_token"`
				Refresh string `json:"refresh_token"`
			} `json:"pair"`
		}
		if err := json.Unmarshal(content, &chains); err != nil {
			t.Fatalf("the stand-in's chains cannot be read: %v", err)
		}
		for _, chain := range chains {
			tokens[chain.Pair.Access], tokens[chain.Pair.Refresh] = true, true
		}
	}
}

func TestDemoInterruptEndsItCleanlyEvenWhileItStarts(t *testing.T) {
	c := begin(t, "")
	c.await(regexp.MustCompile("Starting etcd"))
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := c.exit(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.text())
	}
	if left := c.leftovers(); len(left) > 0 {
		t.Errorf("it left behind %q", left)
	}
}

func TestDemoLifetimeThatMakesNoSenseIsRefused(t *testing.T) {
	for _, lifetime := range []time.Duration{0, 3 * time.Second, 4500 * time.Millisecond} {
		if err := run(t.Context(), options{lifetime: lifetime}, io.Discard); err == nil || !strings.Contains(err.Error(), "--lifetime") {
			t.Errorf("%s: %v", lifetime, err)
		}
	}
}
