package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// output is a buffer that run and the test may share.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start runs the command on free ports and returns its addresses and a function that stops it and waits.
func start(t *testing.T, out *output, extra ...string) (addresses, func()) {
	t.Helper()
	dir := t.TempDir()
	info := filepath.Join(dir, "info.json")
	args := append([]string{
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ca-file", filepath.Join(dir, "ca.pem"), "--info-file", info,
		"--app", "client_id=Iv23liDemo,client_secret=demo,device_flow", "--user", "octocat=583231",
	}, extra...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, args, out) }()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if content, err := os.ReadFile(info); err == nil {
			var where addresses
			if err := json.Unmarshal(content, &where); err != nil {
				t.Fatalf("decode the addresses: %v", err)
			}
			return where, stop
		}
		select {
		case err := <-done:
			t.Fatalf("run ended: %v\n%s", err, out)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Fatal("no addresses within 10 seconds")
	return addresses{}, nil
}

func mint(t *testing.T, where addresses) (refreshToken string) {
	t.Helper()
	response, err := http.Post(where.Admin+"/mint?app=Iv23liDemo&user=octocat", "", nil)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	defer response.Body.Close()
	var pair struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&pair); err != nil {
		t.Fatalf("decode the pair: %v", err)
	}
	return pair.RefreshToken
}

// refresh trusts the CA file, as the operator does.
func refresh(t *testing.T, where addresses, token string) (expiresIn int, oauthError string) {
	t.Helper()
	ca, err := os.ReadFile(where.CAFile)
	if err != nil {
		t.Fatalf("read the CA file: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	r, err := http.NewRequest(http.MethodPost, where.URL+"/login/oauth/access_token", strings.NewReader(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {"Iv23liDemo"}, "client_secret": {"demo"},
	}.Encode()))
	if err != nil {
		t.Fatalf("make a request: %v", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("refresh: %v", err)
	}
	defer response.Body.Close()
	var reply struct {
		ExpiresIn int    `json:"expires_in"`
		Error     string `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil {
		t.Fatalf("decode the reply: %v", err)
	}
	return reply.ExpiresIn, reply.Error
}

func TestStandInCommandServesAndTellsByFingerprintOnly(t *testing.T) {
	var out output
	where, stop := start(t, &out, "--access-token-lifetime", "30s")
	token := mint(t, where)
	expiresIn, oauthError := refresh(t, where, token)
	if expiresIn != 30 || oauthError != "" {
		t.Errorf("first refresh: expires in %d s, error %q", expiresIn, oauthError)
	}
	if _, oauthError = refresh(t, where, token); oauthError != "bad_refresh_token" {
		t.Errorf("second refresh: error %q", oauthError)
	}
	stop()
	for _, text := range []string{where.Page, where.Admin, "octocat  " + short(githubtest.Fingerprint(token)) + "  exchanged", "SPENT BEFORE"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the output lacks %q:\n%s", text, out.String())
		}
	}
	for _, secret := range []string{token, "ghr_", "ghu_", "demo\n"} {
		if strings.Contains(out.String(), secret) {
			t.Error("the output holds a secret")
		}
	}
}

func TestStandInQuietPrintsNoLines(t *testing.T) {
	var out output
	where, stop := start(t, &out, "--quiet")
	refresh(t, where, mint(t, where))
	stop()
	if strings.Contains(out.String(), "exchanged") {
		t.Errorf("a line was printed:\n%s", out.String())
	}
}

func TestStandInFlagsThatMakeNoSense(t *testing.T) {
	app := []string{"--app", "client_id=a"}
	cases := map[string]struct {
		args []string
		says string
	}{
		"no App":                       {nil, "at least one App"},
		"an App without client id":     {[]string{"--app", "name=x"}, "client_id"},
		"an App with something else":   {[]string{"--app", "client_id=a,colour=blue"}, "colour"},
		"an App twice":                 {append(app, app...), "taken"},
		"a user twice":                 {append(app, "--user", "a", "--user", "A"), "taken"},
		"a user without a name":        {append(app, "--user", "=1"), "login"},
		"a user with a word as number": {append(app, "--user", "a=b"), "positive integer"},
		"an argument":                  {append(app, "serve"), "serve"},
		"an address that is none":      {append(app, "--listen", "nowhere"), "listen"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), c.args, &output{})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v does not say %q", err, c.says)
			}
		})
	}
}

func TestStandInEverySettingOfAnApp(t *testing.T) {
	f, err := parseFlags([]string{
		"--app", "client_id=a,client_secret=b,client_secret=c,name=N,callback=https://x/cb,webhook=https://y,webhook_secret=w," +
			"device_flow,oauth_app,no_expiry,auto_approve,strings",
		"--name", "localhost,127.0.0.1", "--name", "host.docker.internal", "--max-tokens", "-1", "--rate-limit", "2000",
		"--max-creations", "-2", "--device-code-entries", "-3",
	}, &output{})
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	app := f.options.Apps[0]
	if len(app.Secrets) != 2 || app.Name != "N" || app.Kind != githubtest.OAuthApp || !app.DeviceFlow || !app.NoExpiry ||
		!app.AutoApprove || !app.NumbersAsStrings || app.CallbackURLs[0] != "https://x/cb" || app.WebhookURL != "https://y" ||
		app.WebhookSecret != "w" || app.MaxTokens != -1 || app.RateLimit.Limit != 2000 ||
		app.MaxCreations != -2 || app.DeviceCodeEntries != -3 {
		t.Errorf("the App was read as %+v", app)
	}
	if len(f.names) != 3 {
		t.Errorf("the names were read as %q", f.names)
	}
}
