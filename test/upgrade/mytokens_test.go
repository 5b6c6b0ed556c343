package upgrade

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
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/githubusertoken/github-user-token-operator/api/v1alpha1"
	"github.com/githubusertoken/github-user-token-operator/hack/demo/stage"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/test/suite"
)

// visitor is a person's browser at the login page, as far as that needs one.
type visitor struct {
	*world
	browser *http.Client
	at      *url.URL
	page    string
}

// visits begins My tokens, as somebody does who has upgraded, and comes there with a browser.
func (w *world) visits() *visitor {
	w.t.Helper()
	page, err := the.stage.StartLoginPage(w.ctx, stage.LoginPageOptions{
		MyTokens: stage.App{ClientID: visitApp, Secret: credential.NewClientSecret(clientSecret)}, MyTokensHost: "github.com",
	})
	w.must(err)
	authority, err := os.ReadFile(page.CAFile)
	w.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	pool.AppendCertsFromPEM(the.gh.CA().PEM)
	addresses := map[string]string{stage.LoginPageHost + ":443": page.Address, "github.com:443": the.gitHub}
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &visitor{world: w, browser: &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addresses[address])
		},
	}}}
}

// send makes a request, and follows where it leads. What is refused because there were too many requests is asked for again: that page, and not a
// form that was taken already.
func (v *visitor) send(method, path string, form url.Values) {
	v.t.Helper()
	target := stage.LoginPageURL + path
	v.eventually("the page answers "+path, func() (bool, string) {
		request, err := http.NewRequestWithContext(v.ctx, method, target, strings.NewReader(form.Encode()))
		v.must(err)
		if method == http.MethodPost {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Origin", stage.LoginPageURL)
		}
		response, err := v.browser.Do(request)
		if err != nil {
			return false, err.Error()
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		v.must(err)
		v.at, v.page = response.Request.URL, string(body)
		if last := response.Request; last.Method == http.MethodGet {
			method, target, form = last.Method, last.URL.String(), nil
		}
		return response.StatusCode != http.StatusTooManyRequests, response.Status
	})
}

// reaches opens a path until that leads where it is to, with a text.
func (v *visitor) reaches(path, to, text string) {
	v.t.Helper()
	v.eventually(path+" to lead to "+to, func() (bool, string) {
		v.send(http.MethodGet, path, nil)
		return v.at.Path == to && strings.Contains(v.page, text), v.at.Path + ": " + v.page
	})
}

var hiddenFields = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// press sends the form of the page that goes to a path.
func (v *visitor) press(to string) {
	v.t.Helper()
	_, form, found := strings.Cut(v.page, `<form method="post" action="`+to+`"`)
	if !found {
		v.t.Fatalf("there is no form to %s: %s", to, v.page)
	}
	form, _, _ = strings.Cut(form, "</form>")
	values := url.Values{}
	for _, field := range hiddenFields.FindAllStringSubmatch(form, -1) {
		values.Set(field[1], html.UnescapeString(field[2]))
	}
	v.send(http.MethodPost, to, values)
}

// seen has a person see on My tokens what the former API has stored of their account, and end one login of it; the others go on.
func (w *world) seen(all map[client.ObjectKey]*before) {
	w.t.Helper()
	var theirs []client.ObjectKey
	for key, b := range all {
		if b.account == "octocat" { // As whom the stand-in lets people through.
			theirs = append(theirs, key)
		}
	}
	if len(theirs) < 2 {
		w.t.Fatalf("only %v are of the person", theirs)
	}
	slices.SortFunc(theirs, func(a, b client.ObjectKey) int { return strings.Compare(a.String(), b.String()) })
	v := w.visits()
	v.reaches("/tokens", "/tokens", "My tokens")
	v.press("/tokens")
	v.reaches("/tokens/go", "/tokens/confirm", "Do you want to be known here?")
	v.press("/tokens/confirm")
	if v.at.Path != "/tokens" { // The operator has not said yet whose it is.
		v.reaches("/tokens/proven", "/tokens", "")
	}
	v.reaches("/tokens", "/tokens", "Tokens of")
	for _, key := range theirs {
		if !strings.Contains(v.page, key.Namespace) {
			w.t.Errorf("%s is not shown: %s", key, v.page)
		}
	}
	ended, pair := theirs[0], w.pair(theirs[0])
	path := "/tokens/of/" + ended.Namespace + "/" + ended.Name
	v.reaches(path, path, "Revoke this token")
	v.press(path)
	w.eventually("the end of the login of "+ended.String(), func() (bool, string) {
		token := w.get(ended)
		login := token.Status.Login // Its conditions may tell of the next login by now.
		return login != nil && login.Revocation == v1alpha1.LoginRevocationRevoked, suite.Describe(token)
	})
	if the.gh.Alive(string(pair.Data[v1alpha1.KeyAccessToken])) || the.gh.Alive(string(pair.Data[v1alpha1.KeyRefreshToken])) {
		w.t.Errorf("the pair of %s lives on", ended)
	}
	for _, key := range theirs[1:] {
		w.ready(key)
	}
	w.eventually("the visit to go", func() (bool, string) {
		var left v1alpha1.GitHubUserTokenList
		w.must(the.admin.List(w.ctx, &left, client.InNamespace(stage.Namespace), client.HasLabels{v1alpha1.LabelVisit}))
		return len(left.Items) == 0, fmt.Sprint(len(left.Items), " are left")
	})
}
