package github

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	gogithub "github.com/google/go-github/v89/github"

	"github.com/githubusertoken/github-user-token-operator/internal/credential"
)

// TokenScope is what a scoped token is limited to.
type TokenScope struct {
	// Target is the login of the account where the App is installed.
	Target string
	// Repositories, by name, or RepositoryIDs; where both are empty all that the installation reaches.
	Repositories  []string
	RepositoryIDs []int64
	// Permissions, by GitHub's names, are read, write or admin; where there are none all of the installation.
	Permissions map[string]string
}

// ScopedToken is a token that can do less than the one that it was made with. No refresh token comes with it.
type ScopedToken struct {
	Token credential.AccessToken
	// ExpiresAt is when it expires, by the local clock; zero where GitHub does not say.
	ExpiresAt time.Time
}

// scopeRequest is the body of POST /applications/{client_id}/token/scoped.
type scopeRequest struct {
	AccessToken   string            `json:"access_token"`
	Target        string            `json:"target"`
	Repositories  []string          `json:"repositories,omitempty"`
	RepositoryIDs []int64           `json:"repository_ids,omitempty"`
	Permissions   map[string]string `json:"permissions,omitempty"`
}

// scopeReply is what is looked at of the answer.
type scopeReply struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
}

// ScopeToken makes a scoped token from a user's token, which stays as it is. It needs the client secret of a GitHub App. To ask
// again does no harm but that each answer is another token: whether one was made although the answer is an error says
// MayHaveIssued.
//
// TokenInvalid is a token that the App does not know: it is dead, is seconds old, or belongs to an OAuth App. ScopeNotGranted says
// that the account or the App's installation there has not got what was asked for.
func (c *Client) ScopeToken(ctx context.Context, app App, token credential.AccessToken, scope TokenScope) (ScopedToken, error) {
	h, clientID, err := c.checkApp(app)
	if err != nil {
		return ScopedToken{}, err
	}
	if app.ClientSecret.IsZero() {
		return ScopedToken{}, newError(IncorrectClientCredentials, h.String(), "a scoped token can be made only with the App's client secret")
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaderField: func(string, []string) { sent.Store(true) }})
	api, err := c.api(h, EndpointScopeToken, basic(clientID, app.ClientSecret))
	if err != nil {
		return ScopedToken{}, err
	}
	request, err := api.NewRequest(ctx, http.MethodPost, "applications/"+clientID+"/token/scoped", scopeRequest{
		AccessToken: token.Reveal(), Target: scope.Target, Repositories: scope.Repositories, RepositoryIDs: scope.RepositoryIDs,
		Permissions: scope.Permissions,
	})
	if err != nil {
		return ScopedToken{}, newError(InvalidRequest, h.String(), "")
	}
	began := c.now()
	var answer scopeReply
	response, err := api.Do(request, &answer)
	if err == nil {
		made := fields{"token": {value: answer.Token, text: true}}.text("token")
		if made != "" && !token.Matches(made) {
			return ScopedToken{credential.NewAccessToken(made), expiryOf(answer.ExpiresAt, response.Header.Get("Date"), began)}, nil
		}
	}
	if response == nil && sent.Load() {
		return ScopedToken{}, sendError(h, err, true, false)
	}
	return ScopedToken{}, c.scopeError(h, response, err)
}

// scopeError classifies an answer that is no scoped token.
func (c *Client) scopeError(h host, response *gogithub.Response, err error) *Error {
	switch {
	case response != nil && response.Response != nil && response.StatusCode == http.StatusUnprocessableEntity:
		return readReply(response.Response, time.Time{}, c.now()).error(ScopeNotGranted)
	case err != nil && saysNotFound(response):
		return readReply(response.Response, time.Time{}, c.now()).error(TokenInvalid)
	default:
		return c.restError(h, response, err, IncorrectClientCredentials)
	}
}

// expiryOf is a time of GitHub's by the local clock: as far from the moment at which the request began as it is from the answer's
// Date. Zero for none, or for one that cannot be read.
func expiryOf(text, date string, began time.Time) time.Time {
	expires, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	if answered, err := http.ParseTime(date); err == nil {
		return began.Add(expires.Sub(answered))
	}
	return expires
}

// MayHaveIssued reports whether GitHub may have made a scoped token although the answer that came is an error: none arrived after
// the request was sent, or what arrived says neither yes nor no.
func MayHaveIssued(err error) bool {
	if err == nil {
		return false
	}
	failed, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return true
	case failed.Status == 0:
		return failed.Sent
	default:
		return failed.Status >= 500 || failed.Status < 300
	}
}
