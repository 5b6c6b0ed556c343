//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/test/e2e/cluster"
)

// person is somebody with a browser that runs no script: it keeps cookies, goes where it is sent, and fills in the form that it shows.
type person struct {
	t      *testing.T
	client *http.Client
	began  time.Time
	// at is where the browser is, and page what it shows.
	at   *url.URL
	page string
	// next is where the page sends it by itself; empty when it does not.
	next string
}

// newPerson is somebody whose browser reaches the stand-in for GitHub and the login page.
func newPerson(t *testing.T, page *cluster.Service) *person {
	t.Helper()
	authority, err := os.ReadFile(running.ControlPlane.AuthorityPath())
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	trusted.AppendCertsFromPEM(gh.CA().PEM)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			switch address {
			case net.JoinHostPort(githubHost, "443"):
				return (&net.Dialer{}).DialContext(ctx, network, ghAddress)
			case net.JoinHostPort(loginPageHost, "443"):
				return page.Dial(ctx)
			default:
				return nil, fmt.Errorf("the browser was sent to %s", address)
			}
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &person{t: t, client: &http.Client{Transport: transport, Jar: jar, Timeout: deadline}, began: time.Now()}
}

// open opens an address, as one that somebody types or clicks in a message.
func (p *person) open(address string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(request)
}

func (p *person) send(request *http.Request) {
	p.t.Helper()
	response, err := p.client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at, p.page = response.Request.URL, string(content)
	_, p.next, _ = strings.Cut(response.Header.Get("Refresh"), "url=")
	p.t.Logf("%5.1f s  %s%s, %d: %s", time.Since(p.began).Seconds(), p.at.Host, p.at.Path, response.StatusCode, p.heading())
}

var (
	headings   = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)
	forms      = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	inputs     = regexp.MustCompile(`<input([^>]*)>`)
	buttons    = regexp.MustCompile(`(?s)<button([^>]*)>(.*?)</button>`)
	attributes = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

func (p *person) heading() string {
	if found := headings.FindStringSubmatch(p.page); found != nil {
		return html.UnescapeString(found[1])
	}
	return "a page without a heading"
}

func attributesOf(text string) map[string]string {
	found := map[string]string{}
	for _, attribute := range attributes.FindAllStringSubmatch(text, -1) {
		found[attribute[1]] = html.UnescapeString(attribute[2])
	}
	return found
}

// press presses a button of the page, after the fields of its form were filled in.
func (p *person) press(button string, fields map[string]string) {
	p.t.Helper()
	for _, form := range forms.FindAllStringSubmatch(p.page, -1) {
		values := url.Values{}
		for _, input := range inputs.FindAllStringSubmatch(form[2], -1) {
			if field := attributesOf(input[1]); field["type"] != "radio" {
				values.Set(field["name"], field["value"])
			}
		}
		pressed := false
		for _, other := range buttons.FindAllStringSubmatch(form[2], -1) {
			if html.UnescapeString(other[2]) == button {
				pressed = true
				if with := attributesOf(other[1]); with["name"] != "" {
					values.Set(with["name"], with["value"])
				}
			}
		}
		if pressed {
			for name := range maps.Keys(fields) {
				values.Set(name, fields[name])
			}
			p.submit(attributesOf(form[1])["action"], values)
			return
		}
	}
	p.t.Fatalf("at %s there is no button %q: %s", p.at.Host+p.at.Path, button, p.page)
}

// submit posts a form as browsers do.
func (p *person) submit(action string, values url.Values) {
	p.t.Helper()
	to, err := p.at.Parse(action)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", p.at.Scheme+"://"+p.at.Host)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	p.send(request)
}

// reaches lets the browser go on by itself until it shows a heading.
func (p *person) reaches(heading string) {
	p.t.Helper()
	for end := time.Now().Add(deadline); p.heading() != heading; {
		if p.next == "" || time.Now().After(end) {
			p.t.Fatalf("it does not reach %q, and is at %s: %s", heading, p.at.Host+p.at.Path, p.page)
		}
		time.Sleep(time.Second) // What the page asks for, and no less than a request each second.
		to, err := p.at.Parse(p.next)
		if err != nil {
			p.t.Fatal(err)
		}
		p.open(to.String())
	}
}
