package browser

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// pageTimeout is how long a page may take, and the browser's start.
const pageTimeout = 30 * time.Second

// findBrowser returns the path of Chromium. Its absence is no reason to skip what only a browser can try.
func findBrowser() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium; on Debian: apt-get install --no-install-recommends chromium")
}

// startBrowser starts a headless browser for which github.com is the stand-in, login.example.com the login page, and there is nothing
// else but this machine. end ends it.
func startBrowser(ctx context.Context, path string, gh *stage.GitHub, page *stage.LoginPage) (browser context.Context, end func(), err error) {
	var keys []string
	for _, site := range []struct{ name, address, caFile string }{
		{"github.com", gh.Host(), gh.CAFile()}, {"127.0.0.1", gh.Host(), gh.CAFile()}, {stage.LoginPageHost, page.Address, page.CAFile},
	} {
		key, err := certificateKey(ctx, site.address, site.caFile, site.name)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, key)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("host-resolver-rules", "MAP github.com "+gh.Host()+", MAP "+stage.LoginPageHost+" "+page.Address+", MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("ignore-certificate-errors-spki-list", strings.Join(keys, ",")),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // root has none to give
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	end = func() {
		stopBrowser()
		stopAllocator()
	}
	if err := chromedp.Do(browser); err != nil {
		end()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, end, nil
}

// certificateKey names the key of a certificate for a host, once it is verified, so that the browser trusts this one and no
// other.
func certificateKey(ctx context.Context, address, caFile, name string) (string, error) {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("look at the certificate of %s: %w", name, err)
	}
	defer conn.Close()
	certificate := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	hash := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(hash[:]), nil
}

// person is somebody with a browser of their own: no other person's cookies are in it.
type person struct {
	t    *testing.T
	tab  context.Context
	site string
}

// newPerson is somebody who logs in at a site and is to be led to no other.
func newPerson(t *testing.T, site string) *person {
	t.Helper()
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return &person{t: t, tab: tab, site: site}
}

// goTo opens a page and signs in first if the page asks for that.
func (p *person) goTo(url, login string) {
	p.t.Helper()
	p.load("open "+url, chromedp.Navigate(url))
	if p.heading() == "Sign in to the stand-in for GitHub" {
		p.signIn(login)
	}
}

func (p *person) signIn(login string) {
	p.t.Helper()
	p.do("choose "+login, chromedp.Click(chromedp.CSS(`input[name=login][value="`+login+`"]`)))
	p.press("Sign in")
	if account := p.text("#account"); account != login {
		p.t.Fatalf("signed in as %q instead of %q", account, login)
	}
}

// enter types a code as it is shown and continues.
func (p *person) enter(code string) *network.Response {
	p.t.Helper()
	p.do("type the code",
		chromedp.Clear(chromedp.CSS("#user_code")),
		chromedp.SendKeys(chromedp.CSS("#user_code"), code))
	return p.press("Continue")
}

// press presses a button that leads to another page, and returns that page's response.
func (p *person) press(button string) *network.Response {
	p.t.Helper()
	return p.load("press "+button, chromedp.Click(chromedp.Search(`//button[normalize-space()="`+button+`"]`)))
}

// follow follows a link.
func (p *person) follow(link string) {
	p.t.Helper()
	p.load("follow "+link, chromedp.Click(chromedp.Search(`//a[normalize-space()="`+link+`"]`)))
}

// load does what leads to another page, waits for it, and looks whether it shows what no page may.
func (p *person) load(what string, step chromedp.Action[chromedp.Void]) *network.Response {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, pageTimeout)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
	address, page := read(p, chromedp.Location()), read(p, chromedp.OuterHTML(chromedp.CSS("html")))
	if !strings.HasPrefix(address, p.site+"/") {
		p.t.Fatalf("%s leads to %s", what, address)
	}
	leaksNothing(p.t, "the page "+address, page+" "+address)
	return response
}

// read is what an action finds on the page.
func read[T any](p *person, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, pageTimeout)
	defer cancel()
	found, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("read the page: %v", err)
	}
	return found
}

func (p *person) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, pageTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *person) heading() string { return p.text("h1") }

// text is what an element of the page shows.
func (p *person) text(selector string) string {
	p.t.Helper()
	return strings.TrimSpace(read(p, chromedp.Text(chromedp.CSS(selector))))
}

// sees demands a heading, and words in the page.
func (p *person) sees(heading string, words ...string) {
	p.t.Helper()
	if h := p.heading(); h != heading {
		p.t.Fatalf("the page is %q instead of %q: %s", h, heading, p.text("main"))
	}
	for _, word := range words {
		if text := p.text("main"); !strings.Contains(text, word) {
			p.t.Fatalf("the page %q does not show %q: %s", heading, word, text)
		}
	}
}

// secrets are tokens of every kind, and device codes.
var secrets = regexp.MustCompile(`gh[a-z]_\w|\b[0-9a-f]{40}\b`)

// leaksNothing demands that a text holds no token and no device code. It does not quote them.
func leaksNothing(t *testing.T, what, text string) {
	t.Helper()
	if at := secrets.FindStringIndex(text); at != nil {
		t.Errorf("%s holds a token or a device code, %d characters from its beginning", what, at[0])
	}
}
