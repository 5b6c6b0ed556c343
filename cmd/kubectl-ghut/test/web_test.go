package test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// person is somebody with a browser that is signed in to GitHub as nobody yet.
type person struct {
	t      *testing.T
	client *http.Client
}

func newPerson(t *testing.T) *person {
	t.Helper()
	authority, err := os.ReadFile(world.GitHub.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var dialer net.Dialer
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "github.com:443" {
				address = world.GitHub.Host()
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &person{t, &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

// page reads an answer, and where it is.
func (p *person) page(response *http.Response, err error) (*url.URL, string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.Request.URL, string(body)
}

var returnTo = regexp.MustCompile(`name="return_to" value="([^"]*)"`)

// decide opens the page of a login, signs in as an account, and decides. It returns the last page.
func (p *person) decide(address, account, decision string) (*url.URL, string) {
	p.t.Helper()
	at, body := p.page(p.client.Get(address))
	if form := returnTo.FindStringSubmatch(body); form != nil {
		at, body = p.page(p.client.PostForm("https://github.com/session", url.Values{"return_to": {html.UnescapeString(form[1])}, "login": {account}}))
	}
	if at.Hostname() == "github.com" && strings.Contains(body, `name="decision"`) {
		at, body = p.page(p.client.PostForm(at.String(), url.Values{"decision": {decision}}))
	}
	return at, body
}

// opens waits until a command names a page of GitHub.
func (r *run) opens() string {
	r.t.Helper()
	pattern := regexp.MustCompile(`(?m)^ {4}(https://github\.com/login/oauth/authorize\S+)$`)
	var page string
	suite.Eventually(r.t, patience, "it names a page", func() (bool, string) {
		if found := pattern.FindStringSubmatch(r.err.String()); found != nil {
			page = found[1]
		}
		return page != "", r.out.String() + r.err.String()
	})
	return page
}

func TestPluginLogsInByTheWebFlow(t *testing.T) {
	// One after the other: they want the same port.
	ns := namespace(t, "web")
	kubectl(t, "create", "secret", "generic", "github-app", "-n", ns, "--from-literal=client_secret="+clientSecret)
	create := []string{"login", "surfer", "-n", ns, "--web", "--create", "--app", clientID, "--client-secret", "github-app", "--account", "surfer", "--secret", "surfer-token"}

	cancelled := begin(t, editor, "", create...)
	if at, body := newPerson(t).decide(cancelled.opens(), "surfer", "cancel"); !strings.HasPrefix(at.Path, "/denied/") || !strings.Contains(body, "nothing was handed over") {
		t.Errorf("after a cancellation the browser is at %s: %s", at.Path, body)
	}
	if code := cancelled.exit(); code != 2 {
		t.Errorf("it exits with %d", code)
	}
	contains(t, cancelled.err.String(), "cancelled at GitHub. Nothing was handed over. To begin anew: kubectl ghut login surfer -n web --web")

	wrong := begin(t, editor, "", create...)
	newPerson(t).decide(wrong.opens(), "passerby", "authorize")
	if code := wrong.exit(); code != 2 {
		t.Errorf("it exits with %d", code)
	}
	contains(t, wrong.err.String(), "somebody else than surfer")

	right := begin(t, editor, "", create...)
	page := right.opens()
	at, body := newPerson(t).decide(page, "surfer", "authorize")
	if !strings.HasPrefix(at.Path, "/done/") || at.RawQuery != "" || !strings.Contains(body, "You can close this page, and go back to the terminal.") {
		t.Errorf("the browser ends at %s: %s", at.Path, body)
	}
	if code := right.exit(); code != 0 {
		t.Fatalf("it exits with %d: %s", code, right.err.String())
	}
	contains(t, right.out.String(), "Logged in as surfer")
	if !aliveAtGitHub(t, accessToken(t, ns, "surfer-token")) {
		t.Error("the token is not good")
	}
	if left := kubectl(t, "get", "secrets", "-n", ns, "-o", "name"); strings.Contains(left, "github-user-token-code-") {
		t.Errorf("the code is left: %s", left)
	}

	contains(t, ghut(t, limited, 0, "login", "surfer", "-n", ns, "--web"), "There is nothing to do")
	contains(t, ghut(t, limited, 1, "login", "surfer", "-n", ns, "--web", "--again"), fmt.Sprintf("you may not create secrets (API group %q) in namespace web", ""))
}
