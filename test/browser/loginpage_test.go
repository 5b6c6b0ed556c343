package browser

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
)

// everySite is for a person who is led from one site to another. The resolver knows two of them.
const everySite = "https:/"

// applyWeb applies a resource, of the name of its account, that logs in by the login page.
func applyWeb(t *testing.T, login string) *resource {
	t.Helper()
	return applyWebAs(t, login, login)
}

// applyWebAs is applyWeb for any name.
func applyWebAs(t *testing.T, name, login string) *resource {
	t.Helper()
	applyManifest(t, fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: web-app, namespace: %[1]s}
data: {client_secret: %[4]s}
---
apiVersion: githubusertoken.dev/v1alpha1
kind: GitHubUserToken
metadata:
  name: %[2]s
  namespace: %[1]s
  annotations:
    githubusertoken.dev/requested-by: Team A, on behalf of the release managers
    githubusertoken.dev/purpose: Merges dependency updates at night, and comments on those that fail.
spec:
  app: {clientID: %[3]s, clientSecretRef: {name: web-app}}
  login: {methods: [WebFlow]}
  user: {login: %[5]s}
  outputs: [{name: %[2]s-git, format: BasicAuth}]
`, namespace, name, webClientID, base64.StdEncoding.EncodeToString([]byte(clientSecret)), login))
	return &resource{t, name}
}

// link waits for a link other than the last.
func (r *resource) link(last string) string {
	r.t.Helper()
	return r.until("the status shows a new link", func(token *v1alpha1.GitHubUserToken) bool {
		return token.Status.Authorization != nil && token.Status.Authorization.LoginURL != "" && token.Status.Authorization.LoginURL != last
	}).Status.Authorization.LoginURL
}

// reaches waits until the browser has gone on to a page by itself.
func (p *person) reaches(prefix string) string {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if address := read(p, chromedp.Location()); strings.HasPrefix(address, prefix) {
			read(p, chromedp.Text(chromedp.CSS("h1")))
			return address
		} else if time.Now().After(end) {
			p.t.Fatalf("it has not reached %s, and is at %s: %s", prefix, address, p.text("main"))
		}
	}
}

// looks is how the browser shows pages.
func (p *person) looks(width, height int64, scheme string) {
	p.t.Helper()
	p.do("be "+scheme, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// pictured takes pictures of a page as it is shown on a phone and on a desk, by day and by night, where somebody wants them, and demands
// of each that it is accessible and not wider than the screen.
func (p *person) pictured(name string) {
	p.t.Helper()
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"phone", 320, 640}, {"desk", 1280, 800}} {
		for _, scheme := range []string{"light", "dark"} {
			p.looks(screen.width, screen.height, scheme)
			p.isAccessible()
			if wide := read(p, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > screen.width {
				p.t.Errorf("%s on a %s is %d wide", name, screen.name, wide)
			}
			if folder := os.Getenv("PICTURES"); folder != "" {
				picture := read(p, chromedp.FullScreenshot(100))
				if err := os.WriteFile(filepath.Join(folder, name+"-"+screen.name+"-"+scheme+".png"), picture, 0o600); err != nil {
					p.t.Fatal(err)
				}
			}
		}
	}
}

// holds keeps the browser from leaving for an address until the returned function is called.
func (p *person) holds(pattern string) (letGo func()) {
	p.t.Helper()
	p.do("hold the requests for "+pattern, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: pattern}}})
		return err
	}))
	return func() {
		p.t.Helper()
		p.do("let them go", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, fetch.Disable, cdp.Empty{})
			return err
		}))
	}
}

// hasStructure demands what a screen reader goes by.
func (p *person) hasStructure(title string) {
	p.t.Helper()
	if got := read(p, chromedp.Title()); got != title {
		p.t.Errorf("the title is %q, want %q", got, title)
	}
	const count = `[document.documentElement.lang, document.querySelectorAll("main").length, document.querySelectorAll("h1").length, document.scripts.length].join()`
	if got := read(p, chromedp.Evaluate[string](count)); got != "en,1,1,0" {
		p.t.Errorf("language, mains, headings and scripts of %q are %s", title, got)
	}
}

// chooses chooses an account at GitHub, and authorizes the App.
func (p *person) chooses(login string) {
	p.t.Helper()
	p.reaches(gitHub + "/")
	p.signIn(login)
	p.press("Authorize " + webClientID)
}

func TestBrowserLoginPageLeadsFromTheLinkToAToken(t *testing.T) {
	t.Parallel()
	r := applyWeb(t, "ada")
	link := r.link("")
	begun := time.Now()
	p := newPerson(t, everySite)
	p.goTo(link, "")
	p.sees("Read what is asked of you", namespace, "ada", webClientID, "ada-git", "Team A", "Nobody has checked this.")
	p.hasStructure("Step 1 of 3: Read what is asked of you")
	p.pictured("1-request")
	goOn := p.holds("*/go")
	p.press("Go on to GitHub")
	p.sees("One moment")
	p.hasStructure("Step 2 of 3: One moment, you are being sent to GitHub")
	p.pictured("2-wait")
	goOn()
	p.reaches(gitHub + "/login")
	p.signIn("ada")
	p.press("Authorize " + webClientID)
	if address := p.reaches(stage.LoginPageURL + "/confirm"); strings.Contains(address, "?") {
		t.Errorf("the address is %s", address)
	}
	p.sees("Do you confirm?", namespace, "ada", "Nothing has been handed over yet.", "Team A")
	p.hasStructure("Step 3 of 3: Confirm, or cancel")
	p.pictured("3-confirm")
	if token := r.get(); meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) {
		t.Fatal("it is Ready before anybody has confirmed")
	}
	p.press("Yes, I confirm")
	p.reaches(stage.LoginPageURL + "/result")
	for end := time.Now().Add(patience); p.heading() == "One moment" && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	p.sees("You are logged in", "ada")
	p.hasStructure("You are logged in")
	p.pictured("4-result")
	r.ready()
	t.Logf("from the link to the token: %s, with pictures", time.Since(begun).Round(time.Millisecond))
	for _, visited := range read(p, chromedp.NavigationEntries()).Entries {
		if strings.Contains(visited.URL, "code=") {
			t.Errorf("the history has %s", visited.URL)
		}
	}
	p.goTo(link, "")
	p.sees("This link does not work")
	p.pictured("5-stopped")
}

// Without a mouse, without script, on a phone.
func TestBrowserLoginPageByKeyboardWithoutScript(t *testing.T) {
	t.Parallel()
	r := applyWeb(t, "grace")
	p := newPerson(t, everySite)
	p.looks(320, 640, "dark")
	p.do("turn scripts off", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	p.goTo(r.link(""), "")
	p.sees("Read what is asked of you")
	p.tabTo("Go on to GitHub")
	p.types("\r")
	p.reaches(gitHub + "/login")
	p.tabTo("Sign in") // The account that the link asks for is chosen already.
	p.types("\r")
	p.reaches(gitHub + "/login/oauth/authorize")
	p.tabTo("Authorize " + webClientID)
	p.types("\r")
	p.reaches(stage.LoginPageURL + "/confirm")
	p.sees("Do you confirm?")
	p.tabTo("Yes, I confirm")
	if folder := os.Getenv("PICTURES"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, "3-confirm-keyboard.png"), read(p, chromedp.CaptureScreenshot()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.types("\r")
	p.reaches(stage.LoginPageURL + "/result")
	r.ready()
	for end := time.Now().Add(patience); p.heading() != "You are logged in"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the page says %s", p.text("main"))
		}
	}
}

// tabTo presses the key until a button has the focus, which must be seen.
func (p *person) tabTo(button string) {
	p.t.Helper()
	for range 20 {
		p.types("\t")
		if read(p, chromedp.Evaluate[string](`document.activeElement.innerText || ""`)) != button {
			continue
		}
		if outline := read(p, chromedp.Evaluate[string](`getComputedStyle(document.activeElement).outlineStyle`)); outline == "none" {
			p.t.Errorf("nobody sees that %q has the focus", button)
		}
		return
	}
	p.t.Fatalf("no key leads to %q", button)
}

func (p *person) types(keys string) {
	p.t.Helper()
	p.do("press a key", chromedp.KeyEvent(keys))
}

// Somebody who has authorized the App before is sent back by GitHub without a question. The page asks all the same, and a
// person who did not want this is out with one press.
func TestBrowserLoginPageAsksWhoIsSentBackWithoutAQuestion(t *testing.T) {
	t.Parallel()
	first, r := applyWeb(t, "edsger"), applyWebAs(t, "edsger-again", "edsger")
	p := newPerson(t, everySite)
	p.goTo(first.link(""), "")
	p.press("Go on to GitHub")
	p.chooses("edsger")
	p.reaches(stage.LoginPageURL + "/confirm")
	p.press("Yes, I confirm")
	p.reaches(stage.LoginPageURL + "/result")
	first.ready()

	p.goTo(r.link(""), "")
	p.press("Go on to GitHub")
	p.reaches(gitHub + "/login")
	p.press("Sign in") // And no consent page.
	p.reaches(stage.LoginPageURL + "/confirm")
	p.sees("Do you confirm?", "Nothing has been handed over yet.")
	p.press("No, cancel")
	p.sees("The login was cancelled")
	p.pictured("6-cancelled")
	token := r.get()
	if meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) || token.Status.User != nil {
		t.Errorf("there is a token: %+v", token.Status)
	}
	if names := kubectl(t, "get", "secrets", "-n", namespace, "-o", "name"); strings.Contains(names, v1alpha1.LoginCodeSecretPrefix) {
		t.Errorf("a code was brought: %s", names)
	}
}

// A link that a thief has used, and the way back from GitHub in a browser that has not begun the login.
func TestBrowserLoginPageLinkIsOfNoUseToTheNextOne(t *testing.T) {
	t.Parallel()
	r := applyWeb(t, "barbara")
	link := r.link("")
	first, second := newPerson(t, everySite), newPerson(t, everySite)
	second.goTo(link, "")
	second.sees("Read what is asked of you")
	first.goTo(link, "")
	first.press("Go on to GitHub")
	first.reaches(gitHub + "/login")
	second.press("Go on to GitHub")
	if h := second.heading(); h != "This link was used already" && h != "This link does not work" {
		t.Errorf("the second one sees %q", h)
	}
	// The second one walks through GitHub's page of the first one's attempt.
	attempt := r.until("an attempt waits", func(token *v1alpha1.GitHubUserToken) bool {
		return token.Status.WebLogin != nil && token.Status.WebLogin.AuthorizeURL != ""
	}).Status.WebLogin
	second.goTo(attempt.AuthorizeURL, "barbara")
	second.press("Authorize " + webClientID)
	second.sees("This login was not begun in this browser")
	second.isAccessible()
	if address := read(second, chromedp.Location()); strings.Contains(address, "code") {
		t.Errorf("the address is %s", address)
	}
	authorize, err := url.Parse(attempt.AuthorizeURL)
	if err != nil {
		t.Fatal(err)
	}
	second.goTo(stage.LoginPageURL+"/callback?code=0123456789&state="+authorize.Query().Get("state"), "")
	second.sees("This login was not begun in this browser")
	// And the first one is not kept from anything.
	first.chooses("barbara")
	first.reaches(stage.LoginPageURL + "/confirm")
	first.press("Yes, I confirm")
	r.ready()
}

// A press that is meant for something else does not land on the page's button: no other page has it in a frame.
func TestBrowserLoginPageIsNotShownInAFrame(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>Win</title><iframe src="%s%s"></iframe>`, stage.LoginPageURL, r.URL.Path)
	}))
	defer site.Close()
	for _, path := range []string{"/login/default/nobody", "/confirm", "/stopped/used"} {
		p := newPerson(t, site.URL)
		p.load("frame "+path, chromedp.Navigate(site.URL+path))
		if shown := p.frame(); !strings.Contains(shown, "chrome-error:") || !strings.Contains(shown, "refused to connect") {
			t.Errorf("%s is shown in a frame: %s", path, shown)
		}
	}
}

// frame is what the frame of the page shows, which is of another site: its address and its text.
func (p *person) frame() string {
	p.t.Helper()
	targets, err := chromedp.Targets(p.tab)
	if err != nil {
		p.t.Fatal(err)
	}
	own := chromedp.FromContext(p.tab).Target.TargetID
	for _, target := range targets {
		if target.Type == "iframe" && string(target.ParentFrameID) == string(own) {
			frame, leave := chromedp.NewContext(p.tab, chromedp.WithTargetID(target.TargetID), chromedp.WithDetachOnCancel())
			defer leave()
			shown, err := chromedp.Run(frame, chromedp.Evaluate[string](`location.href + " " + document.body.innerText`))
			if err != nil {
				p.t.Fatal(err)
			}
			return shown
		}
	}
	p.t.Fatal("there is no frame of another site")
	return ""
}

func TestBrowserLoginPageAnotherAccountIsTurnedAway(t *testing.T) {
	t.Parallel()
	r := applyWeb(t, "donald")
	p := newPerson(t, everySite)
	p.goTo(r.link(""), "")
	p.press("Go on to GitHub")
	p.chooses("ghes")
	p.reaches(stage.LoginPageURL + "/confirm")
	p.press("Yes, I confirm")
	p.reaches(stage.LoginPageURL + "/result")
	for end := time.Now().Add(patience); p.heading() == "One moment" && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	p.sees("This was another account")
	p.pictured("7-another-account")
	r.link("") // And there is another one.
}
