package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/githubusertoken/github-user-token-operator/client/internal/fakeserver"
)

func TestClientGetsTheTokenWithAllThatIsSaidOfIt(t *testing.T) {
	w := newWorld(t, nil)
	token, err := w.client.Token(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	want := tokenOf(1, time.Now())
	if token.AccessToken.Reveal() != want.AccessToken || token.Fingerprint != want.Fingerprint || token.Host != "github.com" || token.Type != "bearer" ||
		token.Account != (Account{Login: "octocat", ID: 1}) {
		t.Errorf("got %+v", token)
	}
	if want.ExpiresAt.Sub(token.ExpiresAt).Abs() > time.Minute || !token.Deadline().Equal(token.NextRefreshAt) || token.NextRefreshAt.IsZero() {
		t.Errorf("it expires at %s and is replaced at %s", token.ExpiresAt, token.NextRefreshAt)
	}
}

func TestClientTokensAreNeverPrinted(t *testing.T) {
	w := newWorld(t, nil)
	token, err := w.client.Token(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	source := NewSource(t.Context(), w.client)
	if _, err := source.Current(t.Context()); err != nil {
		t.Fatal(err)
	}
	bare, err := New(Options{Server: "https://tokens.example.svc", Namespace: "team-a", Name: "octocat"})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("got", "token", token.AccessToken, "all", token)
	text := string(encoded) + logged.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, token) + fmt.Sprintf(verb, *token) + fmt.Sprintf(verb, token.AccessToken) + fmt.Sprintf(verb, source) + fmt.Sprintf(verb, bare)
	}
	wantNoToken(t, text)
	if !strings.Contains(text, redacted) {
		t.Error("there is no placeholder")
	}
	if zero := (AccessToken{}); zero.Reveal() != "" {
		t.Error("there is something in no token")
	}
}

func TestClientReadsItsServiceAccountTokenAnew(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.client.Token(t.Context(), Query{}); err != nil {
		t.Fatal(err)
	}
	w.server.Accept("another")
	if _, err := w.client.Token(t.Context(), Query{}); !hasCode(err, http.StatusUnauthorized) {
		t.Fatalf("err = %v", err)
	}
	if w.asked() != 2 {
		t.Errorf("a token that was refused was presented again: %d questions", w.asked())
	}
	if err := os.WriteFile(w.file, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Token(t.Context(), Query{}); err != nil {
		t.Fatal(err)
	}
}

// The kubelet replaces the file while a question is under way.
func TestClientAsksAgainWithATokenThatCameMeanwhile(t *testing.T) {
	w := newWorld(t, nil)
	w.client.http.Transport = fakeserver.RoundTripper{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+presented {
			w.server.Accept("another")
			if err := os.WriteFile(w.file, []byte("another"), 0o600); err != nil {
				t.Error(err)
			}
		}
		w.server.ServeHTTP(out, r)
	})}
	if _, err := w.client.Token(t.Context(), Query{}); err != nil || w.asked() != 2 {
		t.Errorf("after %d questions: %v", w.asked(), err)
	}
}

func TestClientSaysWhatIsMissing(t *testing.T) {
	good := Options{Server: "https://tokens.example.svc", Namespace: "team-a", Name: "octocat"}
	for name, test := range map[string]struct {
		edit func(*Options)
		says string
	}{
		"no server":            {func(o *Options) { o.Server = "" }, "the address of the token server is missing"},
		"no TLS":               {func(o *Options) { o.Server = "http://tokens.example.svc" }, "must begin with https://"},
		"a path":               {func(o *Options) { o.Server = "https://tokens.example.svc/v1" }, "with no path"},
		"a password":           {func(o *Options) { o.Server = "https://a:b@tokens.example.svc" }, "with no path"},
		"no namespace":         {func(o *Options) { o.Namespace = "" }, "the namespace of the GitHubUserToken is missing"},
		"a namespace of parts": {func(o *Options) { o.Namespace = "../kube-system" }, "is no name of a namespace"},
		"no name":              {func(o *Options) { o.Name = "" }, "the name of the GitHubUserToken is missing"},
		"a name with a slash":  {func(o *Options) { o.Name = "a/b" }, "is no name of a GitHubUserToken"},
		"an output with &":     {func(o *Options) { o.Output = "a&stale=b" }, "is no name of an output"},
	} {
		t.Run(name, func(t *testing.T) {
			options := good
			test.edit(&options)
			if _, err := New(options); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("err = %v, want one that says %q", err, test.says)
			}
		})
	}
	for name, test := range map[string]struct{ content, says string }{
		"nothing":  {"", "has no ServiceAccount token in it"},
		"two":      {"a b", "has no ServiceAccount token in it"},
		"too much": {strings.Repeat("a", mostTokenFile+1), "it is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			if err := os.WriteFile(w.file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := w.client.Token(t.Context(), Query{}); err == nil || !strings.Contains(err.Error(), test.says) || w.asked() != 0 {
				t.Errorf("err = %v, want one that says %q", err, test.says)
			}
		})
	}
	w := newWorld(t, nil)
	if err := os.Remove(w.file); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Token(t.Context(), Query{}); err == nil || !strings.Contains(err.Error(), "mount a projected volume") {
		t.Errorf("err = %v", err)
	}
}

func TestClientTakesNothingButTheAnswerOfATokenServer(t *testing.T) {
	const fine = `{"accessToken":"ghu_a","tokenType":"bearer","host":"github.com","fingerprint":"f"}`
	for name, test := range map[string]struct {
		answer http.Handler
		says   string
	}{
		"HTML":                          {handler(http.StatusOK, "text/html", "<p>ghu_a</p>"), "is this the address"},
		"HTML that is called JSON":      {handler(http.StatusOK, "application/json", "<p>ghu_a</p>"), "not the JSON of a token"},
		"a redirect":                    {http.RedirectHandler("https://evil.example", http.StatusTemporaryRedirect), "which is not followed"},
		"far too much":                  {handler(http.StatusOK, "application/json", strings.Repeat(" ", mostBody)+fine), "is larger than"},
		"no token":                      {handler(http.StatusOK, "application/json", `{"tokenType":"bearer","host":"github.com","fingerprint":"f"}`), "no access token"},
		"a token of two lines":          {handler(http.StatusOK, "application/json", strings.Replace(fine, "ghu_a", `ghu_a\nx`, 1)), "no access token"},
		"a token of another type":       {handler(http.StatusOK, "application/json", strings.Replace(fine, "bearer", "mac", 1)), "another type"},
		"no fingerprint":                {handler(http.StatusOK, "application/json", strings.Replace(fine, `"f"`, `""`, 1)), "no fingerprint"},
		"a host with a path":            {handler(http.StatusOK, "application/json", strings.Replace(fine, "github.com", "github.com/x", 1)), "for which host"},
		"an error that it did not make": {handler(http.StatusForbidden, "text/html", "<p>ghu_a</p>"), "the token server answered 403 forbidden"},
		"an error with lines": {handler(http.StatusForbidden, "application/json", `{"error":"forbidden","message":"no\nmay \u001b[31mnot"}`),
			"the token server answered 403: no may  [31mnot"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.transport = fakeserver.RoundTripper{Handler: test.answer} })
			_, err := w.client.Token(t.Context(), Query{})
			if err == nil || !strings.Contains(err.Error(), test.says) || IsTemporary(err) {
				t.Fatalf("err = %v, want one that says %q", err, test.says)
			}
			wantNoToken(t, err.Error())
		})
	}
	w := newWorld(t, func(o *Options) {
		o.transport = fakeserver.RoundTripper{Handler: handler(http.StatusOK, "application/json", fine)}
	})
	if _, err := w.client.Token(t.Context(), Query{Stale: "f"}); err == nil || !strings.Contains(err.Error(), "the very token") {
		t.Errorf("the refused token is taken: %v", err)
	}
}

func TestClientTriesAgainWhenTheServerSaysSo(t *testing.T) {
	busy := fakeserver.Failure{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Message: "Not now."}
	for name, test := range map[string]struct {
		failures []fakeserver.Failure
		asked    int
		least    time.Duration
		most     time.Duration
		fails    bool
	}{
		"at once":                        {nil, 1, 0, 0, false},
		"after a pause of its own":       {[]fakeserver.Failure{busy}, 2, firstPause, firstPause * 5 / 4, false},
		"not before Retry-After":         {[]fakeserver.Failure{{Status: 429, Code: "too_many_requests", RetryAfter: "7"}}, 2, 7 * time.Second, 9 * time.Second, false},
		"longer each time":               {[]fakeserver.Failure{busy, busy, busy}, 4, 7 * firstPause, 9 * firstPause, false},
		"never later than its patience":  {[]fakeserver.Failure{{Status: 503, Code: "temporarily_unavailable", RetryAfter: "3600"}}, 1, 0, 0, true},
		"a negative Retry-After is none": {[]fakeserver.Failure{{Status: 503, Code: "temporarily_unavailable", RetryAfter: "-5"}}, 2, firstPause, firstPause * 5 / 4, false},
		"not what a person must mend":    {[]fakeserver.Failure{{Status: 409, Code: "no_token", Message: "Log in."}}, 1, 0, 0, true},
		"not what is forbidden":          {[]fakeserver.Failure{{Status: 403, Code: "forbidden", RetryAfter: "1"}}, 1, 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.server.Fail(test.failures...)
				begin := time.Now()
				_, err := w.client.Token(t.Context(), Query{})
				took := time.Since(begin)
				if (err != nil) != test.fails || w.asked() != test.asked || took < test.least || took > test.most {
					t.Errorf("after %s and %d questions: %v", took, w.asked(), err)
				}
			})
		})
	}
}

func TestClientGivesUpWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		if _, err := w.client.Ask(ctx, Query{After: tokenOf(1, begin).Fingerprint, Wait: time.Minute}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

// A server that is told that its client gives up may close its answer with a 200 that says nothing, and that may win the race.
func TestClientSaysThatItsTimeEndedWhateverTheServerSaysThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.client.http.Transport = endingWith{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.client.Token(ctx, Query{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it says %v", err)
		}
	})
}

// endingWith answers each request as its context ends, with nothing.
type endingWith struct{}

func (endingWith) RoundTrip(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

func TestClientWaitsForTheNextToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		begin := time.Now()
		go func() {
			time.Sleep(10 * time.Minute)
			w.server.Rotate(tokenOf(2, time.Now()))
		}()
		token, err := w.client.Next(t.Context(), tokenOf(1, begin).Fingerprint)
		if err != nil || token.Fingerprint != tokenOf(2, begin).Fingerprint {
			t.Fatalf("got %v, %v", token, err)
		}
		if took := time.Since(begin); took != 10*time.Minute || w.asked() > 3 {
			t.Errorf("after %s and %d questions", took, w.asked())
		}
		for _, query := range w.server.Queries() {
			if query.Get("after") == "" || query.Get("wait") != "240" {
				t.Errorf("it was asked for %v", query)
			}
		}
	})
}

func TestClientDoesNotTurnInCirclesAtAServerThatDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const same = `{"accessToken":"ghu_a","tokenType":"bearer","host":"github.com","fingerprint":"f"}`
		asked := 0
		w := newWorld(t, func(o *Options) {
			o.transport = fakeserver.RoundTripper{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				asked++
				handler(http.StatusOK, "application/json", same).ServeHTTP(out, r)
			})}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := w.client.Next(ctx, "f"); err == nil || asked > 61 {
			t.Errorf("after %d questions: %v", asked, err)
		}
	})
}

func TestClientVerifiesTheServer(t *testing.T) {
	server := fakeserver.New("github.com", presented, tokenOf(1, time.Now()))
	listening := httptest.NewUnstartedServer(server)
	listening.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listening.StartTLS()
	t.Cleanup(listening.Close)
	folder := t.TempDir()
	authority, tokenFile := filepath.Join(folder, "ca.crt"), filepath.Join(folder, "token")
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(tokenFile, []byte(presented))
	options := Options{Server: listening.URL, Namespace: "team-a", Name: "octocat", TokenFile: tokenFile, Patience: -1}
	ask := func() error {
		c, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Token(t.Context(), Query{})
		return err
	}
	if err := ask(); err == nil || IsTemporary(err) || !strings.Contains(err.Error(), "is not to be trusted") {
		t.Errorf("by the authorities of the system: %v", err)
	}
	options.CAFile = authority
	if err := ask(); err == nil || IsTemporary(err) || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("without the file: %v", err)
	}
	write(authority, []byte("nothing"))
	if err := ask(); err == nil || IsTemporary(err) || !strings.Contains(err.Error(), "no certificate in it") {
		t.Errorf("with a file of nothing: %v", err)
	}
	write(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: listening.Certificate().Raw}))
	if err := ask(); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	if len(server.Queries()) != 1 {
		t.Errorf("a server that was not verified was shown the token: %d questions", len(server.Queries()))
	}
	listening.Close()
	if err := ask(); !IsTemporary(err) || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("without a server: %v", err)
	}
}
