package githubtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSiteEveryShapeOfHostOverTLS(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t)
	client := site.Client()
	for name, c := range map[string]struct{ oauth, rest string }{
		"Enterprise Server by address": {site.URL, site.URL + "/api/v3"},
		"Enterprise Server by name":    {"https://ghe.corp.example:8443", "https://ghe.corp.example:8443/api/v3"},
		"github.com":                   {"https://github.com", "https://api.github.com"},
		"data residency":               {"https://octocorp.ghe.com", "https://api.octocorp.ghe.com"},
	} {
		t.Run(name, func(t *testing.T) {
			seed := gh.Mint(clientID, "octocat")
			response, err := overHTTP(client, c.oauth, seed.RefreshToken)
			if err != nil {
				t.Fatalf("refresh: %v", err)
			}
			want(t, "status", response.StatusCode, 200)
			body(t, response)
			next, _ := gh.Successor(seed.RefreshToken)
			r, err := http.NewRequest(http.MethodGet, c.rest+"/user", nil)
			if err != nil {
				t.Fatalf("make a request: %v", err)
			}
			r.Header.Set("Authorization", "Bearer "+next.AccessToken)
			response, err = client.Do(r)
			if err != nil {
				t.Fatalf("GET /user: %v", err)
			}
			want(t, "status of GET /user", response.StatusCode, 200)
			want(t, "login", strings.Contains(body(t, response), `"login":"octocat"`), true)
			want(t, "HTTP version", response.ProtoMajor, 2)
		})
	}
}

func TestSiteCertificates(t *testing.T) {
	get := func(client *http.Client, url string) error {
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	t.Run("a client that does not know the authority refuses", func(t *testing.T) {
		var unknown x509.UnknownAuthorityError
		site := newServer(t).StartTest(t)
		want(t, "refused", errors.As(get(&http.Client{Transport: &http.Transport{}}, site.URL), &unknown), true)
	})
	t.Run("a certificate of another authority is refused", func(t *testing.T) {
		other, err := NewCA("other")
		if err != nil {
			t.Fatalf("make an authority: %v", err)
		}
		gh := newServer(t)
		site := gh.StartTest(t, Listen{SignedBy: other})
		var unknown x509.UnknownAuthorityError
		want(t, "refused", errors.As(get(site.Client(), site.URL), &unknown), true)
		want(t, "the site's authority is still the Server's", site.CA == gh.CA(), true)
	})
	t.Run("only the names listed are served", func(t *testing.T) {
		site := newServer(t).StartTest(t, Listen{Names: []string{"host.docker.internal", "127.0.0.1"}})
		_, port, _ := net.SplitHostPort(site.Host)
		var wrongName x509.HostnameError
		want(t, "by a name listed", get(site.Client(), "https://host.docker.internal:"+port), nil)
		want(t, "by an address listed", get(site.Client(), site.URL), nil)
		want(t, "by another name", errors.As(get(site.Client(), "https://localhost:"+port), &wrongName), true)
	})
	t.Run("the authority can be written to a file", func(t *testing.T) {
		site := newServer(t).StartTest(t)
		path := filepath.Join(t.TempDir(), "ca.pem")
		want(t, "error", site.CA.WriteFile(path), nil)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("read the file: %v", err)
		}
		pool := x509.NewCertPool()
		want(t, "holds a certificate", pool.AppendCertsFromPEM(content), true)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
		want(t, "trusted", get(client, site.URL), nil)
	})
	t.Run("a file that cannot be written is an error", func(t *testing.T) {
		want(t, "failed", newServer(t).CA().WriteFile(filepath.Join(t.TempDir(), "none", "ca.pem")) != nil, true)
	})
}

func TestSiteConnectionsBreakOnTheWire(t *testing.T) {
	gh := newServer(t)
	for version, listen := range map[string]Listen{"HTTP 1": {HTTP1: true}, "HTTP 2": {}} {
		t.Run(version, func(t *testing.T) {
			site := gh.StartTest(noClose{t}, listen)
			defer site.Close()
			checkBroken(t, gh, site.Client(), site.URL)
		})
	}
}

func TestSiteResetIsAResetAndACloseIsNone(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t, Listen{HTTP1: true})
	for name, c := range map[string]struct {
		fault Fault
		is    error
	}{
		"reset": {ResetConnection(), syscall.ECONNRESET},
		"close": {CloseConnection(), io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			gh.Inject(c.fault)
			err := failure(site.Client(), refreshRequest(site.URL, "ghr_x"))
			want(t, "what the client saw", errors.Is(err, c.is), true)
		})
	}
}

// noClose keeps StartTest from closing the Server, which several sites share.
type noClose struct{ *testing.T }

func (noClose) Cleanup(func()) {}

func TestSiteThatIsClosedIsGoneAndItsPortIsFree(t *testing.T) {
	gh := newServer(t)
	site, err := gh.Start(Listen{})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	seed := gh.Mint(clientID, "octocat")
	hold := gh.Inject(Hold())
	failed := make(chan error, 1)
	go func() { failed <- failure(site.Client(), refreshRequest(site.URL, seed.RefreshToken)) }()
	<-hold.Arrived()
	site.Close()
	want(t, "request under way failed", <-failed != nil, true)

	again, err := gh.Start(Listen{Address: site.Host})
	if err != nil {
		t.Fatalf("start again at the same address: %v", err)
	}
	response, err := overHTTP(again.Client(), again.URL, seed.RefreshToken)
	if err != nil {
		t.Fatalf("refresh after the restart: %v", err)
	}
	want(t, "status", response.StatusCode, 200)
	body(t, response)
	if _, err := gh.Start(Listen{Address: site.Host}); err == nil {
		t.Error("a second site at the same address did not fail")
	}
	want(t, "shutdown", again.Shutdown(t.Context()), nil)
}

func TestSiteShutdownWaitsForRequestsUnderWayButNotForEver(t *testing.T) {
	gh := newServer(t)
	site, err := gh.Start(Listen{})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	hold := gh.Inject(Hold())
	done := make(chan error, 1)
	go func() {
		response, err := overHTTP(site.Client(), site.URL, "ghr_x")
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	<-hold.Arrived()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	want(t, "given up", errors.Is(site.Shutdown(ctx), context.DeadlineExceeded), true)
	want(t, "request failed", <-done != nil, true)
}

func TestSiteTenConcurrentExchangesOverTLSHaveOneWinner(t *testing.T) {
	gh := newServer(t)
	site := gh.StartTest(t)
	seed := gh.Mint(clientID, "octocat")
	results := make(chan string, 10)
	for range 10 {
		go func() {
			response, err := overHTTP(site.Client(), site.URL, seed.RefreshToken)
			if err != nil {
				results <- fmt.Sprintf("error: %v", err)
				return
			}
			defer response.Body.Close()
			results <- response.Status
		}()
	}
	for range 10 {
		want(t, "status", <-results, "200 OK")
	}
	want(t, "exchanges", gh.ExchangesOf(seed.RefreshToken), 1)
	want(t, "double spends", len(gh.DoubleSpends()), 9)
}
