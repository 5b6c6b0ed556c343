package githubtest

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// browser is a person without JavaScript: it keeps cookies, follows redirects, and fills in the form it sees.
type browser struct {
	t      *testing.T
	client *http.Client
	url    string
	status int
	page   string
}

func newBrowser(t *testing.T, gh *Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("make a cookie jar: %v", err)
	}
	client := &http.Client{Transport: gh.RoundTripper(), Jar: jar}
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != "github.com" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{t: t, client: client}
}

func (b *browser) open(path string) {
	b.t.Helper()
	response, err := b.client.Get("https://github.com" + path)
	if err != nil {
		b.t.Fatalf("browse: %v", err)
	}
	defer response.Body.Close()
	b.see(response)
}

func (b *browser) see(response *http.Response) {
	b.t.Helper()
	b.page, b.status, b.url = body(b.t, response), response.StatusCode, response.Request.URL.String()
	if location := response.Header.Get("Location"); location != "" {
		b.url = location
	}
}

var (
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit sends the page's form with these fields.
func (b *browser) submit(fields url.Values) {
	b.t.Helper()
	action := formAction.FindStringSubmatch(b.page)
	if action == nil {
		b.t.Fatalf("there is no form on %s", b.url)
	}
	for _, hidden := range hiddenInput.FindAllStringSubmatch(b.page, -1) {
		fields.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	response, err := b.client.PostForm("https://github.com"+html.UnescapeString(action[1]), fields)
	if err != nil {
		b.t.Fatalf("browse: %v", err)
	}
	defer response.Body.Close()
	b.see(response)
}

func (b *browser) signIn(login string) {
	b.t.Helper()
	b.shows("Choose an account")
	b.submit(url.Values{"login": {login}})
}

func (b *browser) shows(text string) {
	b.t.Helper()
	if !strings.Contains(html.UnescapeString(b.page), text) {
		b.t.Errorf("%s does not show %q", b.url, text)
	}
}

func TestPagesPersonEntersADeviceCode(t *testing.T) {
	gh := newServer(t)
	gh.UpdateApp(clientID, func(a *App) { a.Name = `Robots & "Sons"` })
	start := deviceCode(t, gh)
	b := newBrowser(t, gh)
	b.open("/login/device")
	b.signIn("hubot")
	b.shows("Device activation")
	b.shows("hubot")
	b.shows(`<label for="user_code">`)

	b.submit(url.Values{"user_code": {"WRONG"}})
	want(t, "status of a wrong code", b.status, 422)
	b.shows(`<p role="alert" id="error">No device shows this code.`)
	b.shows(`value="WRONG"`)

	b.submit(url.Values{"user_code": {" " + strings.ToLower(start.text("user_code"))}})
	b.shows(`Authorize Robots & "Sons"`)
	b.shows(start.text("user_code"))
	b.submit(url.Values{"decision": {"continue"}})
	b.shows("Congratulations")
	want(t, "address", b.url, "https://github.com/login/device/success")

	user, _ := gh.Authenticate(poll(t, gh, start.text("device_code")).text("access_token"))
	want(t, "account", user.Login, "hubot")
}

func TestPagesPersonCancels(t *testing.T) {
	gh := newServer(t)
	start := deviceCode(t, gh)
	b := newBrowser(t, gh)
	b.open("/login/device?user_code=" + start.text("user_code"))
	b.signIn("octocat")
	b.shows(`value="` + start.text("user_code") + `"`)
	b.submit(url.Values{"user_code": {start.text("user_code")}})
	b.submit(url.Values{"decision": {"cancel"}})
	b.shows("Authorization cancelled")
	want(t, "error", poll(t, gh, start.text("device_code")).text("error"), "access_denied")
}

func TestPagesCodeEnteredTooLateIsCalledExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gh := newServer(t)
		start := deviceCode(t, gh)
		b := newBrowser(t, gh)
		b.open("/login/device")
		b.signIn("octocat")
		time.Sleep(DefaultDeviceCodeLifetime)
		b.submit(url.Values{"user_code": {start.text("user_code")}})
		want(t, "status", b.status, 422)
		b.shows("This code has expired.")
	})
}

func TestPagesPersonRevokesAnApp(t *testing.T) {
	gh := newServer(t)
	pair := gh.Mint(clientID, "octocat")
	b := newBrowser(t, gh)
	b.open("/settings/apps/authorizations")
	b.signIn("octocat")
	b.shows(clientID)
	b.submit(url.Values{})
	b.shows("No App may act as you.")
	want(t, "alive", gh.Alive(pair.AccessToken) || gh.Alive(pair.RefreshToken), false)
}

func TestPagesLoginLeadsToNoOtherHost(t *testing.T) {
	for _, evil := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "evil"} {
		want(t, evil, localPath(evil), "/")
	}
	want(t, "a local path", localPath("/login/device?user_code=AB"), "/login/device?user_code=AB")
}

func TestPagesHomePageLeadsOn(t *testing.T) {
	b := newBrowser(t, newServer(t))
	b.open("/")
	b.shows(`href="/login/device"`)
	b.open("/login")
	b.shows("hubot")
}
