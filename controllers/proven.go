package controllers

import (
	"context"

	"github.com/githubusertoken/github-user-token-operator/controllers/lifecycle"
	"github.com/githubusertoken/github-user-token-operator/internal/credential"
	"github.com/githubusertoken/github-user-token-operator/internal/github"
)

// provingGitHub tells of each App whose client ID and client secret GitHub has accepted along with a token of that App: as much as an
// exchange proves, and often sooner after a start. Until then an App shares a limit with those that somebody has made up.
type provingGitHub struct {
	lifecycle.GitHub

	succeeded func(app string)
}

// CheckToken implements lifecycle.GitHub.
func (g provingGitHub) CheckToken(ctx context.Context, app github.App, token credential.AccessToken) (github.Check, error) {
	check, err := g.GitHub.CheckToken(ctx, app, token)
	if err == nil && check.Alive && !app.ClientSecret.IsZero() {
		g.succeeded(app.Key())
	}
	return check, err
}
