package githubtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const (
	clientID     = "Iv23liTest"
	clientSecret = "s3cret"
)

// newServer is a GitHub with one App and two users; change alters the options first.
func newServer(t *testing.T, change ...func(*Options)) *Server {
	t.Helper()
	options := Options{
		Apps:  []App{{ClientID: clientID, Secrets: []string{clientSecret}, DeviceFlow: true}},
		Users: []User{{Login: "octocat", ID: 583231}, {Login: "hubot", ID: 480938}},
	}
	for _, c := range change {
		c(&options)
	}
	gh := New(options)
	t.Cleanup(gh.Close)
	return gh
}

// answer is a reply, decoded.
type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

func (a answer) text(name string) string {
	value, _ := a.fields[name].(string)
	return value
}

// send puts a request through the handler.
func send(t *testing.T, gh http.Handler, r *http.Request) answer {
	t.Helper()
	recorder := httptest.NewRecorder()
	gh.ServeHTTP(recorder, r)
	a := answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") && a.body != "" {
		_ = json.Unmarshal([]byte(a.body), &a.fields) // replies that only claim to be JSON stay without fields
	}
	return a
}

func tokenRequest(parameters url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://github.com/login/oauth/access_token", strings.NewReader(parameters.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	return r
}

func refreshing(token string) url.Values {
	return url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token},
		"client_id": {clientID}, "client_secret": {clientSecret},
	}
}

func refresh(t *testing.T, gh *Server, token string) answer {
	t.Helper()
	return send(t, gh, tokenRequest(refreshing(token)))
}

// overHTTP sends a refresh through a client.
func overHTTP(client *http.Client, base, token string) (*http.Response, error) {
	r := refreshRequest(base, token)
	r.RequestURI = ""
	return client.Do(r)
}

// failure is the error of a request that is to have no reply, if that is how it goes.
func failure(client *http.Client, r *http.Request) error {
	r.RequestURI = "" // set by httptest
	response, err := client.Do(r)
	if err == nil {
		_ = response.Body.Close()
	}
	return err
}

// refreshRequest is tokenRequest for a client at another address.
func refreshRequest(base, token string) *http.Request {
	r := tokenRequest(refreshing(token))
	target, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	r.URL.Host, r.Host = target.Host, target.Host
	return r
}

// body reads a reply to its end.
func body(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read the reply: %v", err)
	}
	return string(content)
}

func want[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

// inProcess is a client that keeps redirects for the test to see.
func inProcess(gh *Server) *http.Client {
	return &http.Client{
		Transport:     gh.RoundTripper(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
