package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/githubusertoken/github-user-token-operator/hack/controlplane"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github/githubtest"
)

// GitHub is the stand-in for GitHub.
type GitHub struct {
	process *controlplane.Process // nil unless it is a process of its own
	where   addresses
	client  *http.Client
}

// addresses are what hack/stand-in tells in its --info-file.
type addresses struct {
	Host   string `json:"host"`
	Page   string `json:"page"`
	Admin  string `json:"admin"`
	CAFile string `json:"caFile"`
}

// App is a GitHub App at the stand-in. Its device flow is enabled.
type App struct {
	ClientID string
	// Secret is the client secret; an App whose users log in by the device flow alone needs none.
	Secret credential.ClientSecret
	// Callbacks are the callback URLs of the web flow.
	Callbacks []string
	// Installations are the accounts where the App is installed.
	Installations []githubtest.Installation
}

// GitHubOptions configure the stand-in.
type GitHubOptions struct {
	Apps []App
	// Users are logins that may sign in to its pages.
	Users []string
	// AccessTokenLifetime is how long access tokens live, in whole seconds.
	AccessTokenLifetime time.Duration
	// DeviceInterval is the shortest time between two questions whether a user code was entered, in whole
	// seconds. Default: GitHub's, 5 s.
	DeviceInterval time.Duration
	// Quiet keeps it from logging each token that is presented.
	Quiet bool
}

// StartGitHub starts the stand-in.
func (s *Stage) StartGitHub(ctx context.Context, options GitHubOptions) error {
	info := s.Path("stand-in.json")
	arguments := []string{
		"--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--ca-file=" + s.Path("stand-in-ca.crt"), "--info-file=" + info,
		"--access-token-lifetime=" + options.AccessTokenLifetime.String(),
	}
	if options.DeviceInterval > 0 {
		arguments = append(arguments, "--device-interval="+options.DeviceInterval.String())
	}
	if options.Quiet {
		arguments = append(arguments, "--quiet")
	}
	for _, app := range options.Apps {
		described := append([]string{"--app=client_id=" + app.ClientID + ",device_flow"}, app.Callbacks...)
		arguments = append(arguments, strings.Join(described, ",callback="))
	}
	for _, user := range options.Users {
		arguments = append(arguments, "--user="+user)
	}
	gh := &GitHub{client: &http.Client{Timeout: 30 * time.Second}}
	gh.process = controlplane.NewProcess(controlplane.Program{
		Name: "the stand-in for GitHub", Path: s.binary("stand-in"), Args: arguments,
		Dir: s.Path(), LogPath: s.Path("stand-in.log"),
		Ready: func(context.Context) error { _, err := os.Stat(info); return err },
	})
	s.GitHub = gh
	if err := gh.process.Start(ctx); err != nil {
		return err
	}
	content, err := os.ReadFile(info)
	if err != nil {
		return fmt.Errorf("read the stand-in's addresses: %w", err)
	}
	if err := json.Unmarshal(content, &gh.where); err != nil {
		return fmt.Errorf("read the stand-in's addresses: %w", err)
	}
	for _, app := range options.Apps { // not on the command line, where everybody on the machine could read it
		change := githubtest.AppChange{Installations: app.Installations}
		if !app.Secret.IsZero() {
			change.Secrets = []string{app.Secret.Reveal()}
		}
		if err := gh.call(ctx, http.MethodPatch, "/apps/"+url.PathEscape(app.ClientID), change, nil); err != nil {
			return err
		}
	}
	return nil
}

// UseGitHub has the operator take a stand-in for github.com that the caller serves at an address, with a certificate of
// the authority in caFile. Nothing but its addresses is known of it.
func (s *Stage) UseGitHub(host, caFile string) {
	s.GitHub = &GitHub{where: addresses{Host: host, CAFile: caFile}}
}

// Host is where it listens, HOST:PORT: what spec.app.host says to use it as an Enterprise Server.
func (g *GitHub) Host() string { return g.where.Host }

// Page is where a person enters a user code.
func (g *GitHub) Page() string { return g.where.Page }

// Admin is the URL of the admin side.
func (g *GitHub) Admin() string { return g.where.Admin }

// CAFile is the certificate authority to trust.
func (g *GitHub) CAFile() string { return g.where.CAFile }

// Login logs a user in and returns the refresh token.
func (g *GitHub) Login(ctx context.Context, clientID, user string) (credential.RefreshToken, error) {
	var minted struct {
		RefreshToken string `json:"refresh_token"`
	}
	err := g.call(ctx, http.MethodPost, mintPath(clientID, user), nil, &minted)
	return credential.NewRefreshToken(minted.RefreshToken), err
}

// Adopt logs a user in with a given refresh token.
func (g *GitHub) Adopt(ctx context.Context, clientID, user string, token credential.RefreshToken) error {
	return g.call(ctx, http.MethodPost, mintPath(clientID, user), map[string]string{"refresh_token": token.Reveal()}, nil)
}

func mintPath(clientID, user string) string {
	return "/mint?" + url.Values{"app": {clientID}, "user": {user}}.Encode()
}

// NeverIssued is the Cause of a token that GitHub did not give out: somebody has made it up.
const NeverIssued githubtest.Cause = "not issued by GitHub"

// State is what the stand-in knows of a token, access or refresh.
func (g *GitHub) State(ctx context.Context, token interface{ Reveal() string }) (githubtest.TokenState, error) {
	var state githubtest.TokenState
	err := g.call(ctx, http.MethodPost, "/state", map[string]string{"token": token.Reveal()}, &state)
	if refused, ok := errors.AsType[*statusError](err); ok && refused.code == http.StatusNotFound {
		// Somebody may write anything into a Secret, which is no failure of the stand-in.
		return githubtest.TokenState{Fingerprint: string(credential.NewAccessToken(token.Reveal()).Fingerprint()), Cause: NeverIssued}, nil
	}
	return state, err
}

// Ledger is what the stand-in holds against its clients.
type Ledger struct {
	Summary      githubtest.Summary
	DoubleSpends []githubtest.Presentation
	Violations   []githubtest.Violation
}

// Ledger reads it.
func (g *GitHub) Ledger(ctx context.Context) (Ledger, error) {
	var l Ledger
	for path, into := range map[string]any{"/summary": &l.Summary, "/double-spends": &l.DoubleSpends, "/violations": &l.Violations} {
		if err := g.call(ctx, http.MethodGet, path, nil, into); err != nil {
			return l, err
		}
	}
	return l, nil
}

// Presentations are all refresh tokens ever presented, by fingerprint.
func (g *GitHub) Presentations(ctx context.Context) ([]githubtest.Presentation, error) {
	var all []githubtest.Presentation
	err := g.call(ctx, http.MethodGet, "/presentations", nil, &all)
	return all, err
}

// statusError is an answer of the admin side that is no success.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// call speaks to the admin side. Errors name the path and hold no token.
func (g *GitHub) call(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("the stand-in: %s: encode the request: %w", path, err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, g.where.Admin+path, content)
	if err != nil {
		return fmt.Errorf("the stand-in: %w", err)
	}
	response, err := g.client.Do(request)
	if err != nil {
		return fmt.Errorf("the stand-in: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return &statusError{response.StatusCode, fmt.Sprintf("the stand-in: %s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(reason))}
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("the stand-in: %s %s: read the reply: %w", method, path, err)
	}
	return nil
}
